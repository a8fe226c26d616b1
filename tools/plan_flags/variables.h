// The variables of pshard's own that steer planning and are no flags.
#pragma once

#include <optional>

#include "plan_flags/options.h"

namespace pshard::tool {

// PSHARD_STRATEGY and PSHARD_CHECK. The sentence that ends the program where one means nothing.
std::optional<EarlyExit> read_variables(Options& options);

}  // namespace pshard::tool
