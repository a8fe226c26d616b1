#include "run/manual.h"

namespace pshard::tool {

std::string run_manual() { return "x\n"; }

}  // namespace pshard::tool
