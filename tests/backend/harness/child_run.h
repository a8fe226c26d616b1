// A program as a user would start it: arguments, an environment of its own, one text for all that
// it prints. A program that hangs is ended.
#pragma once

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <sys/types.h>

namespace pshard::backend_test {

using Environment = std::map<std::string, std::string>;

struct ChildProgram {
    std::vector<std::string> command{};  // the program's path and its arguments
    Environment environment{};  // on top of PATH, HOME and the sanitizers' options; no others pass
    std::string folder{};       // to run in; empty: this process's
    int limit_seconds = 120;

    // With more arguments.
    ChildProgram& with(const std::vector<std::string>& words) {
        command.insert(command.end(), words.begin(), words.end());
        return *this;
    }

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

// A program that runs beside this one, a server. What it prints is read as it comes.
class RunningChild {
public:
    explicit RunningChild(const ChildProgram& program);
    ~RunningChild();
    RunningChild(const RunningChild&) = delete;
    RunningChild& operator=(const RunningChild&) = delete;

    // True: it ended by itself, or its time was over.
    [[nodiscard]] bool has_ended() const { return ended_; }

    // Waits for its end.
    const ChildResult& wait();

    // Sends it the signal, unless it has ended, and waits.
    const ChildResult& end(int signal);

private:
    pid_t pid_ = 0;
    std::atomic<bool> ended_ = false;
    ChildResult result_{};
    std::thread reader_{};
};

ChildResult run(const ChildProgram& program);

}  // namespace pshard::backend_test
