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
// own -b, or the next smaller one that there is a plan with. What it captures and searches is known
// to the plan that follows.
Result<LargestTier> find_largest_tier(const Options& options,
                                      const Machine& machine,
                                      const std::vector<Job>& jobs,
                                      Known& known);

// Whether ubatches that are too small for a tier of prompts alone may be faster than the tiers of
// that plan of the job, whose memory does not grow with them. Without prices: whether the smallest
// tier of prompts has no plan.
bool may_pay_below(const Planning& planning, const Job& job, const Workload& work);

// The fastest of those and the smallest tier of prompts, or the largest that is within 1 % of it;
// without prices the largest of them that there is a plan with.
Result<std::uint32_t> find_smaller_ubatch(const Options& options,
                                          const Machine& machine,
                                          const Job& job,
                                          Known& known);

// The fastest ubatch of the jobs; nullopt: nothing can be compared.
Result<std::optional<UbatchTime>> find_fastest_ubatch(const Options& options,
                                                      const Machine& machine,
                                                      const std::vector<Job>& jobs,
                                                      Known& known);

}  // namespace pshard::tool
