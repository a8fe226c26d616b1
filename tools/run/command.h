// A program with its arguments and environment: run and waited for, or become.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace pshard::tool {

using Variables = std::map<std::string, std::string>;

// "NAME=VALUE" words, as a process gets them.
Variables variables_of(const char* const* environment);

// The variable's value; "" if it is not set.
std::string value_of(const Variables& variables, const std::string& name);

struct Command {
    std::vector<std::string> words;  // the first is the program's path
    Variables environment;           // all of it
};

// What a program left behind. A signal that ended it counts as exit code 128 + its number.
struct Finished {
    int exit_code = 0;
    std::string out;
};

// What goes to `Finished::out`. stderr goes where ours does (Out), there too, or nowhere.
enum class Catch { Out, OutAndErr, OutAlone };

// stdin is empty. Fails if the program cannot be started.
Result<Finished> run_command(const Command& command, Catch caught);

// This process goes on as that program. Returns only if it cannot.
Error become(const Command& command);

// "NAME=VALUE ... PROGRAM ARGUMENT ..." as sh reads it. `shown`: the variables to tell.
std::string shell_text(const Command& command, const std::vector<std::string>& shown);

}  // namespace pshard::tool
