// What --help prints: a page as man would show it. scripts/help-to-man makes man pages of it, and
// scripts/help-to-completion the words that shells complete.
//
//   NAME
//       llama-profiler-cpu - measures the CPU ...
//   OPTIONS
//     Budget
//       -mva, --max-vram-alloc MiB
//           budget (default: 0, ...)
#pragma once

#include <string>
#include <vector>

namespace CLI {  // NOLINT(readability-identifier-naming): the library's own
class App;
}

namespace pshard::tool {

// A flag with its value, a variable, an exit code, an example; and what it means.
struct ManualEntry {
    std::string term;
    std::string text;
};

struct ManualGroup {
    std::string title;  // empty: none
    std::vector<ManualEntry> entries;
};

struct Manual {
    std::string name;
    std::string purpose;  // goes on after the name: "measures the CPU"
    std::vector<std::string> synopsis;
    std::vector<std::string> description;  // paragraphs
    std::vector<ManualGroup> options;
    std::vector<ManualEntry> environment;
    std::vector<ManualEntry> files;
    std::vector<ManualEntry> exit_status;
    std::vector<ManualEntry> examples;
    std::string see_also;
};

std::string manual_text(const Manual& manual);

// The options of a command line by their groups, in the order that they were added. `short_names`:
// names of several letters that take one dash, as llama.cpp's do.
std::vector<ManualGroup> option_groups(const CLI::App& app,
                                       const std::vector<std::string>& short_names = {});

}  // namespace pshard::tool
