// How often something is timed, and what is made of the times: median and mean, with the spread.
//
// A sample's spread is the distance of its quartiles over its median. Where it exceeds the policy's
// limit, a second round is measured and the calmer one is kept.
#pragma once

#include <chrono>
#include <functional>
#include <vector>

#include "base/units.h"

namespace pshard {

struct SamplePolicy {
    int min_samples = 5;
    int max_samples = 40;
    Seconds budget = 0.2;      // what a round may take; min_samples are taken all the same
    double max_spread = 0.10;  // above it, another round
};

struct Sample {
    Seconds median = 0;
    Seconds mean = 0;   // without the longest twentieth: what one of many in a row takes
    double spread = 0;  // (upper quartile - lower quartile) / median
    int count = 0;

    bool operator==(const Sample&) const = default;
};

// What at least one time comes to.
[[nodiscard]] Sample summarize(std::vector<Seconds> times);

// What the times of several rounds come to, taken together.
[[nodiscard]] Sample pooled(const std::vector<std::vector<Seconds>>& rounds);

// One round: as many times as the policy wants, without a warm-up.
[[nodiscard]] std::vector<Seconds> times_of(const std::function<Seconds()>& measure,
                                            const SamplePolicy& policy);

// `measure` runs the thing once and returns its time. The first call is a warm-up; its time is not
// counted.
[[nodiscard]] Sample sample(const std::function<Seconds()>& measure, const SamplePolicy& policy);

// Time of one call by the steady clock.
[[nodiscard]] Seconds time_of(const std::function<void()>& work);

[[nodiscard]] Seconds seconds_since(std::chrono::steady_clock::time_point begin);

}  // namespace pshard
