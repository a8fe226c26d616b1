// What the user asked of llama-pshard-run: its own flags, the planner's, and a program to start.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "plan_flags/options.h"
#include "run/goal.h"

namespace pshard::tool {

struct RunOptions {
    Options plan;  // the planner's flags and environment, as it reads them
    std::vector<std::string>
        plan_arguments;  // the same flags for its command line, with the goal's
    std::optional<Goal> goal;
    bool dry_run = false;
    bool json = false;
    bool replan = false;
    std::string time_limit;            // of a profiler, seconds; empty: its own
    std::vector<std::string> command;  // the program and its arguments
};

// Flags of llama.cpp's that may stand behind `--`, though the plan must know them.
inline constexpr const char* kSpecType = "--spec-type";
inline constexpr const char* kSpecMax = "--spec-draft-n-max";

// The value of such a flag in a command, the last one if it comes twice; "": it is not there.
std::string value_behind(const std::vector<std::string>& command, std::string_view flag);

// Reads `FLAGS... -- PROGRAM ARGUMENTS...`. A flag before `--` that is not this program's own is
// the planner's. What neither knows ends the program with a sentence.
std::variant<RunOptions, EarlyExit> read_run_options(int argc, const char* const* argv);

}  // namespace pshard::tool
