// Makes plans from options and a machine: captures or reads the model, finds the budget, searches.
#pragma once

#include <variant>
#include <vector>

#include "base/result.h"
#include "plan_flags/options.h"
#include "planner/planning.h"
#include "planning/budget.h"
#include "planning/jobs.h"
#include "planning/known.h"
#include "planning/machine.h"

namespace pshard::tool {

// A context and its plan. The plan refers to the machine that it was made for, and names no
// registry.
struct PlannedJob {
    Job job;
    Planning planning;
};

// Why there is no plan of a job, for stderr.
inline constexpr const char* kNothingViable =
    "no tier has a plan at this budget; nothing was written for it";

using Planned = std::variant<std::vector<PlannedJob>, Refusal>;

// The contexts that the options ask for. Fails on what is no model file.
Result<std::vector<Job>> jobs_of_model(const Options& options);

// Plans all that the options ask for, in their order; writes what --save-inventory names. `machine`
// must outlive the plans, which lack what add_stock_fits() adds. Declines where there is no budget
// to plan with. `known`: for who plans the same model for stock llama.cpp as well.
Result<Planned> plan_jobs(const Options& options, const Machine& machine);
Result<Planned> plan_jobs(const Options& options, const Machine& machine, Known& known);

// Leaves each note to the first plan that has it; returns all notes.
std::vector<std::string> take_repeated_notes(std::vector<Planning>& plannings);

}  // namespace pshard::tool
