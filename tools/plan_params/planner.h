// The command itself: from options to a plan on stdout and in the registry.
#pragma once

#include "plan_flags/program.h"

namespace pshard::tool {

// Fails on bad input.
Result<Outcome> plan(const Options& options);

}  // namespace pshard::tool
