// A program as a user would start it: arguments, an environment of its own, one text for all that
// it prints. A program that hangs is ended.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace pshard::backend_test {

using Environment = std::map<std::string, std::string>;

struct ChildProgram {
    std::vector<std::string> command{};  // the program's path and its arguments
    Environment environment{};           // on top of PATH and HOME; nothing else is passed on
    std::string folder{};                // to run in; empty: this process's
    int limit_seconds = 120;

    // For a shell, to run it again by hand.
    [[nodiscard]] std::string shell_line() const;
};

struct ChildResult {
    int exit_code = -1;  // 128 + the signal that ended it
    bool timed_out = false;
    double seconds = 0;
    std::string out{};
    std::string err{};

    [[nodiscard]] bool ok() const { return exit_code == 0 && !timed_out; }

    // "exit code 1 after 0.3 s", and the end of what it printed.
    [[nodiscard]] std::string text() const;
};

ChildResult run(const ChildProgram& program);

}  // namespace pshard::backend_test
