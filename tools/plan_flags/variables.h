// Reads pshard's own variables that steer planning and are no flags.
#pragma once

#include <optional>

#include "plan_flags/options.h"

namespace pshard::tool {

// Reads PSHARD_STRATEGY and PSHARD_CHECK. If one means nothing, returns the sentence that ends the
// program.
std::optional<EarlyExit> read_variables(Options& options);

}  // namespace pshard::tool
