// The planner's --help, and its flags for the help of programs that take them too.
#pragma once

#include <string>
#include <vector>

#include "common/manual.h"

namespace pshard::tool {

std::string plan_manual(std::vector<ManualGroup> options);

// "Model", "Context", "Budget", "Machine", ...
std::vector<ManualGroup> plan_flag_groups();

}  // namespace pshard::tool
