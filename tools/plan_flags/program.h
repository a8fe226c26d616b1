// Begins and ends a program that plans: its command line, what it says, its exit code.
#pragma once

#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "plan_flags/options.h"

namespace pshard::tool {

// Exit codes, besides kFailed (common/output.h): bad input, nothing was written.
inline constexpr int kPlanned = 0;   // planned, and written where asked
inline constexpr int kDeclined = 2;  // refused by name, or no tier has a plan

struct Outcome {
    int exit_code = kPlanned;
    std::string text;                  // for stdout
    std::string refusal{};             // for stderr; empty: none
    std::string written{};             // what was written though stdout failed; empty: nothing
    std::vector<std::string> notes{};  // for stderr: those that `text` does not show
};

inline Outcome declined(const std::string& reason, const std::vector<std::string>& notes = {}) {
    return {kDeclined, "", reason, "", notes};
}

struct Task {
    std::vector<std::string> refusals;  // flags that leave nothing to do
    std::function<Result<Outcome>()> work;
};

// The whole of main(): returns the exit code. Exceptions become one sentence.
int run_program(const std::function<std::variant<Task, EarlyExit>()>& read);

}  // namespace pshard::tool
