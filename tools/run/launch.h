// The command that starts the program: its environment and its flags, in its own spelling.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "run/command.h"
#include "run/run_plan.h"

namespace pshard::tool {

struct Launch {
    Command command;
    std::vector<std::string> set;  // names of the variables that make_launch() set
};

// Fails on arguments behind `--` that the plan decides ("-c", "-ngl"): they belong before it.
Status check_arguments(const HostProgram& program, const std::vector<std::string>& arguments);

Launch make_launch(const PlanRequest& request, const RunPlan& plan);

// What a dry run prints: lines for sh, or JSON (docs/cli/llama-pshard-run.md).
std::string dry_run_text(const PlanRequest& request, const RunPlan& plan, const Launch& launch);

}  // namespace pshard::tool
