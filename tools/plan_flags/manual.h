// The planner's --help, and the flags that llama-pshard-run takes too.
#pragma once

#include <vector>

#include "common/manual.h"

namespace pshard::tool {

Manual plan_page();  // without the flags

// "Model", "Context", "Budget", "Machine", "Output", with what the flags mean to a run.
std::vector<ManualGroup> run_flag_groups();

}  // namespace pshard::tool
