// How a series of times becomes one.
//
// In:   something that can be timed, and a policy: how often, how long, how calm.
// Out:  median, mean and spread.
//
//     sorted times   | . . . : . . . . | . . . . : . . . x |
//                            lower   median    upper     the longest twentieth
//                            quartile          quartile
//
//     median   the middle time
//     mean     of all but the longest twentieth
//     spread   (upper quartile - lower quartile) / median
//
// sample() makes one call that does not count, then a round. If the round is too noisy it makes a
// second one, and takes the calmer of the two.
//
// Trap: the mean leaves the longest times out on one side only, since other programs make a time
// longer and never shorter.
#include "probe/sampler.h"

#include <algorithm>
#include <cstddef>
#include <numeric>

#include "base/result.h"

namespace pshard {

namespace {

// The value at `share` of the way through sorted times; between two of them, on the line from one
// to the other.
Seconds quantile(const std::vector<Seconds>& sorted, double share) {
    const double at = share * double(sorted.size() - 1);
    const auto below = static_cast<std::size_t>(at);
    const std::size_t above = std::min(below + 1, sorted.size() - 1);
    return sorted[below] + (at - double(below)) * (sorted[above] - sorted[below]);
}

Sample round_of(const std::function<Seconds()>& measure, const SamplePolicy& policy) {
    return summarize(times_of(measure, policy));
}

}  // namespace

std::vector<Seconds> times_of(const std::function<Seconds()>& measure, const SamplePolicy& policy) {
    std::vector<Seconds> times;
    Seconds total = 0;
    const auto wanted = [&] {
        const int n = static_cast<int>(times.size());
        return n < policy.min_samples || (n < policy.max_samples && total < policy.budget);
    };
    while (wanted()) {
        times.push_back(measure());
        total += times.back();
    }
    return times;
}

Sample summarize(std::vector<Seconds> times) {
    PSHARD_CHECK(!times.empty());
    std::sort(times.begin(), times.end());
    const Seconds median = quantile(times, 0.5);
    const Seconds width = quantile(times, 0.75) - quantile(times, 0.25);
    const std::size_t n_counted = std::max<std::size_t>(1, times.size() - times.size() / 20);
    const Seconds sum = std::accumulate(times.begin(), times.begin() + long(n_counted), 0.0);
    return {median,
            sum / double(n_counted),
            median > 0 ? width / median : 0,
            static_cast<int>(times.size())};
}

Sample pooled(const std::vector<std::vector<Seconds>>& rounds) {
    std::vector<Seconds> all;
    for (const std::vector<Seconds>& times : rounds) {
        all.insert(all.end(), times.begin(), times.end());
    }
    return summarize(std::move(all));
}

Sample sample(const std::function<Seconds()>& measure, const SamplePolicy& policy) {
    measure();
    const Sample first = round_of(measure, policy);
    if (first.spread <= policy.max_spread) return first;
    const Sample second = round_of(measure, policy);
    return second.spread < first.spread ? second : first;
}

Seconds time_of(const std::function<void()>& work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    return seconds_since(begin);
}

Seconds seconds_since(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace pshard
