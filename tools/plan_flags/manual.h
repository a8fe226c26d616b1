// The planner's --help, and its flags for the help of programs that take them too.
#pragma once

#include <vector>

#include "common/manual.h"

namespace pshard::tool {

Manual plan_page();  // without the flags

// "Model", "Context", "Budget", "Machine", ...
std::vector<ManualGroup> plan_flag_groups();

}  // namespace pshard::tool
