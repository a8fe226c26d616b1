// How much of the GPU the plan may take.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "base/result.h"
#include "plan_flags/options.h"
#include "planner/planning.h"
#include "planning/machine.h"

namespace pshard::tool {

// A request that is understood and declined: exit code 2.
struct Refusal {
    std::string reason;
};

// Tells if -mva is more than the GPU is known to hold. `taken`: bytes of the plan and of what
// shares its budget.
std::optional<std::string> budget_note(const Options& options, const Machine& machine, Bytes taken);

// Finds the total (-mva, else device memory - driver's overhead - fit target) and what the draft
// model, the projector and the reserve take of it. `context`: of the target model; the draft model
// gets the same. Declines where no budget is known, or nothing is left of it.
Result<std::variant<BudgetUse, Refusal>> budget_use(const Options& options,
                                                    const Machine& machine,
                                                    const ContextSpec& context);

}  // namespace pshard::tool
