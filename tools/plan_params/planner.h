// The command itself: from options to a plan on stdout and in the registry.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "plan_flags/options.h"

namespace pshard::tool {

// Exit codes of the program, besides kFailed (common/output.h): bad input, nothing was written.
inline constexpr int kPlanned = 0;   // a plan was made, and written where asked
inline constexpr int kDeclined = 2;  // refused by name, or no tier is viable: nothing was written

struct Outcome {
    int exit_code = kPlanned;
    std::string text;                  // for stdout
    std::string refusal;               // for stderr, empty if none
    std::string registry;              // that was written, empty if none
    std::vector<std::string> notes{};  // for stderr: those that `text` does not show
};

inline Outcome declined(const std::string& reason, const std::vector<std::string>& notes) {
    return {kDeclined, "", reason, "", notes};
}

// Fails on bad input.
Result<Outcome> plan(const Options& options);

}  // namespace pshard::tool
