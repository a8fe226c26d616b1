// A program with its arguments and environment, which this process waits for or becomes.
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

// What goes to `Finished::out`: stdout, with OutAndErr stderr too. With Out stderr goes where this
// process's own goes, with OutAlone nowhere.
enum class Catch { Out, OutAndErr, OutAlone };

// Runs the program, with an empty stdin. Fails if it cannot be started.
Result<Finished> run_command(const Command& command, Catch caught);

// Replaces this process by the program. Returns only if that fails.
Error become(const Command& command);

// "NAME=VALUE ... PROGRAM ARGUMENT ..." as sh reads it. `shown`: the variables to tell.
std::string shell_text(const Command& command, const std::vector<std::string>& shown);

}  // namespace pshard::tool
