// The command itself: from options to an explanation on stdout and in the report.
#pragma once

#include "explain/options.h"
#include "plan_flags/program.h"

namespace pshard::tool {

// Fails on bad input; the report is written last.
Result<Outcome> explain_model(const ExplainOptions& options);

}  // namespace pshard::tool
