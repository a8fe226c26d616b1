// The command itself: from options to an explanation on stdout and in the report.
#pragma once

#include <string>

#include "base/result.h"
#include "explain/options.h"

namespace pshard::tool {

inline constexpr int kNoPlan = 2;  // exit code: refused by name, or no tier has a plan

struct Explained {
    int exit_code = 0;
    std::string text;     // for stdout
    std::string refusal;  // for stderr, empty if none
};

// Fails on bad input; the report is written last.
Result<Explained> explain_model(const ExplainOptions& options);

}  // namespace pshard::tool
