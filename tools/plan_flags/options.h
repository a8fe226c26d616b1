// The command line of a program that plans.
#pragma once

#include <functional>
#include <string>
#include <variant>

#include "common/manual.h"
#include "common/output.h"
#include "plan_flags/flags.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the library's own
class App;
}

namespace pshard::tool {

// Another program that plans. It has its own flags instead of those that write, print and list
// plans.
struct PlanningProgram {
    Manual page;  // what --help prints, without the flags
    std::function<void(CLI::App&)> add_flags;
};

// The environment is read as if its values stood before the arguments, so these win. Both are
// brought to "--long-name" first: llama.cpp writes "-mva", CLI11 reads only "--mva".
// `program`: nullptr for llama-pshard-plan-params.
std::variant<Options, EarlyExit> read_command_line(int argc,
                                                   const char* const* argv,
                                                   const PlanningProgram* program = nullptr);

}  // namespace pshard::tool
