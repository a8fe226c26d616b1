// How often something is timed, and the median, mean and spread of its times.
#pragma once

#include <chrono>
#include <functional>
#include <vector>

#include "base/units.h"

namespace pshard {

struct SamplePolicy {
    int min_samples = 5;
    int max_samples = 40;
    Seconds budget = 0.2;      // time for a round, which takes min_samples in any case
    double max_spread = 0.10;  // a spread above it asks for a second round
};

struct Sample {
    Seconds median = 0;
    Seconds mean = 0;   // of all but the longest twentieth: the time of one among many in a row
    double spread = 0;  // (upper quartile - lower quartile) / median
    int count = 0;

    bool operator==(const Sample&) const = default;
};

// The sample of a list of times, which must not be empty.
[[nodiscard]] Sample summarize(std::vector<Seconds> times);

// The sample of the times of several rounds together.
[[nodiscard]] Sample pooled(const std::vector<std::vector<Seconds>>& rounds);

// The times of one round, as many as the policy wants, without a warm-up.
[[nodiscard]] std::vector<Seconds> times_of(const std::function<Seconds()>& measure,
                                            const SamplePolicy& policy);

// Samples what `measure` does; each call of it returns the time of one run. The first call is a
// warm-up, whose time does not count.
[[nodiscard]] Sample sample(const std::function<Seconds()>& measure, const SamplePolicy& policy);

// The time of one call, by the steady clock.
[[nodiscard]] Seconds time_of(const std::function<void()>& work);

[[nodiscard]] Seconds seconds_since(std::chrono::steady_clock::time_point begin);

}  // namespace pshard
