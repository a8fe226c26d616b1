// What is asked of a plan, before it is found.
#pragma once

#include "plan_flags/options.h"
#include "planner/planning.h"
#include "planning/jobs.h"
#include "planning/machine.h"

namespace pshard::tool {

// A plan of `inventory` that nobody has made yet; it refers to the machine's profile.
Planning wished_plan(const Options& options,
                     const Machine& machine,
                     const Job& job,
                     Inventory inventory,
                     const BudgetUse& budget);

}  // namespace pshard::tool
