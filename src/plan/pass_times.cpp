#include "plan/pass_times.h"

#include <algorithm>
#include <cmath>

namespace pshard {
namespace {

constexpr double kEven = 0.001;
constexpr std::uint32_t kNarrow = 256;  // tokens: bends in less are not looked for

double tokens_of_each(const PassTimes& times) {
    return double(times.n_tokens) / std::max(times.n_seqs, 1U);
}

Seconds between(const PassPoint& a, const PassPoint& b, double depth) {
    return a.seconds + (depth - a.depth) / (double(b.depth) - a.depth) * (b.seconds - a.seconds);
}

void add_between(const PassPoint& a,
                 const PassPoint& b,
                 const SecondsAt& seconds_at,
                 std::vector<PassPoint>& points) {
    if (b.depth - a.depth < 2 * kNarrow) return;
    const std::uint32_t depth = a.depth + (b.depth - a.depth) / 2;
    const std::optional<Seconds> seconds = seconds_at(depth);
    if (!seconds || std::abs(*seconds - between(a, b, depth)) <= kEven * *seconds) return;
    const PassPoint middle{depth, *seconds};
    add_between(a, middle, seconds_at, points);
    points.push_back(middle);
    add_between(middle, b, seconds_at, points);
}

// Batches 0 to `n_batches`, one after the other. Between two points the seconds are even, so that
// the mean of those batches is that of the first and the last of them.
Seconds sum_of(const PassTimes& times, double n_batches, double depth) {
    const double own = tokens_of_each(times);
    Seconds sum = 0;
    double first = 0;
    const auto add_until = [&](double end) {
        if (end <= first) return;
        sum += (end - first) * seconds_behind(times, depth + (first + end - 1) / 2 * own);
        first = end;
    };
    for (const PassPoint& point : times.points) {
        add_until(std::min(n_batches, std::floor((point.depth - depth) / own) + 1));
    }
    add_until(n_batches);
    return sum;
}

}  // namespace

Seconds seconds_behind(const PassTimes& times, double depth) {
    const auto next = std::ranges::lower_bound(times.points, depth, {}, &PassPoint::depth);
    if (next == times.points.begin()) return next->seconds;
    if (next == times.points.end()) return times.points.back().seconds;
    return between(*(next - 1), *next, depth);
}

Seconds prompt_seconds(const PassTimes& times, double n_tokens, double depth) {
    const double n_batches = std::max(1.0, n_tokens / times.n_tokens);
    const double whole = std::floor(n_batches);
    const double own = tokens_of_each(times);
    const double room = times.points.back().depth - (n_batches - 1) * own;
    const double start = std::max(0.0, std::min(depth, room));
    const double rest = n_batches - whole;
    return sum_of(times, whole, start) + rest * seconds_behind(times, start + whole * own);
}

std::vector<PassPoint> refined(const std::vector<PassPoint>& known, const SecondsAt& seconds_at) {
    std::vector<PassPoint> points;
    for (const PassPoint& point : known) {
        if (!points.empty() && points.back().depth >= point.depth) continue;
        if (!points.empty()) add_between(PassPoint(points.back()), point, seconds_at, points);
        points.push_back(point);
    }
    return points;
}

}  // namespace pshard
