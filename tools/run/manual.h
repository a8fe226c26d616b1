// What --help prints: a page as man would show it.
#pragma once

#include <string>

namespace pshard::tool {

std::string run_manual();

}  // namespace pshard::tool
