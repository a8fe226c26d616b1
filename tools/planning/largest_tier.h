// The largest tier where memory grows with it: caches of sliding windows hold a window and a
// ubatch, and what drafts has scratch for one. A large ubatch leaves less of the budget to weights,
// in every tier.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "planning/jobs.h"
#include "planning/known.h"
#include "planning/machine.h"

namespace pshard::tool {

struct LargestTier {
    std::uint32_t tokens = 0;
    std::vector<Hash64> smaller_states;  // of the one job, with smaller largest tiers
    std::string note;                    // why it is this one
};

// The graphs of the first largest tier that would be compared, of the first job: what llama.cpp
// makes of a model shows in them as in those of all tiers.
Result<Job> first_compared(const Options& options, const std::vector<Job>& jobs);

// Compares the largest tiers that the jobs may have, all of one model, which is run with one
// ubatch. By the least time of the workload (workload_of()); without a profile it is llama.cpp's
// own -b. What it captures and searches is known to the plan that follows.
Result<LargestTier> find_largest_tier(const Options& options,
                                      const Machine& machine,
                                      const std::vector<Job>& jobs,
                                      Known& known);

// The fastest ubatch of the jobs, also of those that are too small for a tier of prompts alone;
// nullopt: nothing can be compared.
Result<std::optional<UbatchTime>> find_fastest_ubatch(const Options& options,
                                                      const Machine& machine,
                                                      const std::vector<Job>& jobs,
                                                      Known& known);

}  // namespace pshard::tool
