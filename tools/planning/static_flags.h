// The best static plan of a model (planner/static_plan.h), with llama.cpp asked in child processes.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "planner/static_plan.h"
#include "planning/budget.h"
#include "planning/jobs.h"
#include "planning/known.h"
#include "planning/machine.h"

namespace pshard::tool {

struct StaticFlags {
    StaticFound found;
    std::uint32_t n_batch = 0;       // llama.cpp's -b, which holds the ubatch
    std::vector<std::string> notes;  // what the user should know, one sentence each
};

// Declines if no static plan fits, or no budget is known.
Result<std::variant<StaticFlags, Refusal>> find_static_flags(const Options& options,
                                                             const Machine& machine,
                                                             const Job& job,
                                                             const Workload& work,
                                                             Known& known);

}  // namespace pshard::tool
