// Reads a command line by CLI11. A fault is one sentence that begins with the flag as the user
// typed it:
//
//   -c: 'abc' is no whole number from 0 to 2147483647
//   LLAMA_ARG_CTX_SIZE: '' is no whole number from 0 to 2147483647
//   -c: a value is missing
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/output.h"

namespace CLI {  // NOLINT(readability-identifier-naming): the library's own
class App;
}

namespace pshard::tool {

// A word of a command line, or a variable that stands for one.
struct Argument {
    std::string word;   // as CLI11 reads it: "--mva", "--ctx-size=4096"
    std::string typed;  // as the user gave it: "-mva", "LLAMA_ARG_CTX_SIZE=4096"
};

// The name that a word gives a value: "--ctx-size" of "--ctx-size=4096".
std::string name_of(const std::string& word);

std::vector<Argument> arguments_of(int argc, const char* const* argv);

// Lets `app` read the arguments. What it comes to instead: the page that `manual` makes, the
// version, or a fault.
std::optional<EarlyExit> parse(CLI::App& app,
                               const std::vector<Argument>& arguments,
                               const std::function<std::string()>& manual);

// Tells what is wrong with a value, "" if nothing is; CLI::Option::check takes it.
using Check = std::function<std::string(const std::string&)>;

Check whole_number(std::int64_t least, std::uint64_t most);
Check seconds_above_zero();
Check one_of(std::vector<std::string> words);

}  // namespace pshard::tool
