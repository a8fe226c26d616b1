#include "common/child.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <sstream>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/descriptor.h"
#include "common/log.h"

namespace pshard::tool {
namespace {

using Clock = std::chrono::steady_clock;

// What goes through the pipe: lines of progress, a mark and two numbers each; then a mark, and a
// text or the parts of an Error.
constexpr char kProgress = 'P';
constexpr char kValue = 'V';
constexpr char kError = 'E';

int to_parent = -1;  // the pipe, in the child

std::string message_of(const Result<std::string>& result) {
    if (result.ok()) return kValue + result.value();
    const Error& error = result.error();
    return fmt::format("{}{}\n{}\n{}\n{}",
                       kError,
                       error.place.line,
                       error.place.column,
                       error.place.file,
                       error.message);
}

// Cuts the next line off `text`.
std::string take_line(std::string& text) {
    const std::size_t end = text.find('\n');
    std::string line = text.substr(0, end);
    text.erase(0, end == std::string::npos ? text.size() : end + 1);
    return line;
}

Result<std::string> result_of(const std::string& message) {
    std::string text = message.substr(1);
    if (message.front() == kValue) return text;
    Error error;
    error.place.line = std::atoi(take_line(text).c_str());
    error.place.column = std::atoi(take_line(text).c_str());
    error.place.file = take_line(text);
    error.message = text;
    return error;
}

// Does the work. What it throws must not reach the parent's code in this process.
Result<std::string> guarded(const ChildWork& child) {
    try {
        return child.work();
    } catch (const std::bad_alloc&) {
        return Error{fmt::format("{}: not enough memory", child.what), {}};
    } catch (const std::exception& error) {
        return Error{fmt::format("{}: {}", child.what, error.what()), {}};
    }
}

[[noreturn]] void be_the_child(const ChildWork& child, int out) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    const int nowhere = open("/dev/null", O_RDWR);
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    to_parent = out;
    _exit(write_all(out, message_of(guarded(child))) ? 0 : 1);
}

// Takes whole lines of progress off the beginning of what came, and shows them.
void show_progress(std::string& text, SlowNotice& notice) {
    while (text.starts_with(kProgress) && text.find('\n') != std::string::npos) {
        std::istringstream line(take_line(text).substr(1));
        std::size_t done = 0;
        std::size_t all = 0;
        if (line >> done >> all) notice.show(done, all);
    }
}

// What the pipe brings until it closes.
struct Reading {
    std::string text;
    bool timed_out = false;
};

Reading read_until(int fd, const ChildWork& child) {
    const Clock::time_point begin = Clock::now();
    SlowNotice notice(child.what, child.unit);
    Reading reading;
    std::vector<char> buffer(1 << 16);
    while (true) {
        const auto waited =
            std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
        if (waited.count() > child.limit_seconds * 1000L) {
            reading.timed_out = true;
            return reading;
        }
        pollfd ready{fd, POLLIN, 0};
        if (poll(&ready, 1, 250) <= 0) continue;
        const ssize_t n = read(fd, buffer.data(), buffer.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return reading;
        reading.text.append(buffer.data(), static_cast<std::size_t>(n));
        show_progress(reading.text, notice);
    }
}

int wait_for(pid_t pid) {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

Error died(const ChildWork& child, int status) {
    if (WIFSIGNALED(status)) {
        return {fmt::format("{}: llama.cpp crashed ({}); the file is probably damaged",
                            child.what,
                            strsignal(WTERMSIG(status))),
                {}};
    }
    return {fmt::format(
                "{}: llama.cpp ended the process (exit code {})", child.what, WEXITSTATUS(status)),
            {}};
}

}  // namespace

void tell_parent(std::size_t done, std::size_t all) {
    if (to_parent < 0) return;
    // A parent that is gone needs no progress.
    static_cast<void>(write_all(to_parent, fmt::format("{}{} {}\n", kProgress, done, all)));
}

Result<std::string> run_in_child(const ChildWork& child) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return Error{fmt::format("cannot make a pipe: {}", std::strerror(errno)), {}};
    }
    const pid_t pid = fork();
    if (pid < 0) return Error{fmt::format("cannot fork: {}", std::strerror(errno)), {}};
    if (pid == 0) be_the_child(child, ends[1]);
    close(ends[1]);
    const Reading reading = read_until(ends[0], child);
    close(ends[0]);
    if (reading.timed_out) kill(pid, SIGKILL);
    const int status = wait_for(pid);
    if (reading.timed_out) {
        return Error{
            fmt::format(
                "{}: llama.cpp did not finish in {} seconds", child.what, child.limit_seconds),
            {}};
    }
    if (status != 0 || reading.text.empty()) return died(child, status);
    return result_of(reading.text);
}

}  // namespace pshard::tool
