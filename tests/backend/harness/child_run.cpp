#include "backend/harness/child_run.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/result.h"
#include "build_paths.h"

namespace pshard::backend_test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kShownBytes = 3000;

std::string quoted(const std::string& word) {
    static const std::string plain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./";
    if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) return word;
    std::string inner;
    for (const char c : word) inner += c == '\'' ? "'\\''" : std::string(1, c);
    return "'" + inner + "'";
}

// What the child needs, made before the fork: a list of strings that ends with a nullptr.
class StringList {
public:
    explicit StringList(std::vector<std::string> strings) : strings_(std::move(strings)) {
        for (std::string& string : strings_) pointers_.push_back(string.data());
        pointers_.push_back(nullptr);
    }

    [[nodiscard]] char* const* data() const { return pointers_.data(); }

private:
    std::vector<std::string> strings_;
    std::vector<char*> pointers_{};
};

// The value of a variable of this process; nullptr: it has none.
const char* own_variable(const std::string& name) {
    for (char** variable = environ; *variable != nullptr; ++variable) {
        if (std::string(*variable).starts_with(name + "=")) return *variable + name.size() + 1;
    }
    return nullptr;
}

// llama.cpp's programs have no sanitizer in them: they need its runtime before all other libraries
// to load one of ours that has, and their own leaks are none of ours.
void add_sanitizer(const ChildProgram& program, Environment& variables) {
    const std::string runtime = PSHARD_SANITIZER_RUNTIME;
    const bool is_llamas = std::ranges::any_of(program.command, [](const std::string& word) {
        return word.starts_with(PSHARD_LLAMA_BIN_DIR);  // the launcher is told which one to start
    });
    if (runtime.empty() || !is_llamas) return;
    std::string& preloaded = variables["LD_PRELOAD"];
    preloaded = preloaded.empty() ? runtime : runtime + ":" + preloaded;
    variables["ASAN_OPTIONS"] += ":detect_leaks=0";
}

std::vector<std::string> environment_of(const ChildProgram& program) {
    Environment variables = program.environment;
    for (const char* name :
         {"PATH", "HOME", "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"}) {
        const char* value = own_variable(name);
        if (value != nullptr) variables.emplace(name, value);
    }
    add_sanitizer(program, variables);
    std::vector<std::string> lines;
    for (const auto& [name, value] : variables) lines.push_back(fmt::format("{}={}", name, value));
    return lines;
}

struct Pipe {
    std::array<int, 2> ends{};

    Pipe() { PSHARD_CHECK(pipe2(ends.data(), O_CLOEXEC) == 0); }
};

[[noreturn]] void be_the_child(const ChildProgram& program,
                               const StringList& command,
                               const StringList& environment,
                               const Pipe& out,
                               const Pipe& err) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
    dup2(out.ends[1], STDOUT_FILENO);
    dup2(err.ends[1], STDERR_FILENO);
    if (!program.folder.empty() && chdir(program.folder.c_str()) != 0) _exit(126);
    execve(command.data()[0], command.data(), environment.data());
    _exit(127);
}

// Reads both pipes until the program closes them. False: the time was over.
bool read_all(const Pipe& out, const Pipe& err, ChildResult& result, int limit_seconds) {
    const Clock::time_point end = Clock::now() + std::chrono::seconds(limit_seconds);
    std::array<pollfd, 2> files{pollfd{out.ends[0], POLLIN, 0}, pollfd{err.ends[0], POLLIN, 0}};
    std::array<std::string*, 2> texts{&result.out, &result.err};
    std::vector<char> buffer(1U << 16U);
    while (files[0].fd >= 0 || files[1].fd >= 0) {
        if (Clock::now() > end) return false;
        if (poll(files.data(), files.size(), 250) <= 0) continue;
        for (std::size_t i = 0; i < files.size(); ++i) {
            if (files[i].fd < 0 || files[i].revents == 0) continue;
            const ssize_t n = read(files[i].fd, buffer.data(), buffer.size());
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) files[i].fd = -1;  // poll leaves it out
            if (n > 0) texts[i]->append(buffer.data(), static_cast<std::size_t>(n));
        }
    }
    return true;
}

int wait_for(pid_t pid) {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string end_of(const std::string& text) {
    return text.size() <= kShownBytes ? text : "...\n" + text.substr(text.size() - kShownBytes);
}

}  // namespace

std::string ChildProgram::shell_line() const {
    std::string line = folder.empty() ? "" : fmt::format("cd {} && ", quoted(folder));
    for (const auto& [name, value] : environment)
        line += fmt::format("{}={} ", name, quoted(value));
    for (const std::string& word : command) line += quoted(word) + " ";
    line.pop_back();
    return line;
}

std::string ChildResult::text() const {
    const std::string end = timed_out          ? "it did not end"
                            : exit_code >= 128 ? fmt::format("signal {}", exit_code - 128)
                                               : fmt::format("exit code {}", exit_code);
    return fmt::format("{} after {:.1f} s\n{}{}", end, seconds, end_of(out), end_of(err));
}

RunningChild::RunningChild(const ChildProgram& program) {
    const StringList command(program.command);
    const StringList environment(environment_of(program));
    const Pipe out;
    const Pipe err;
    const Clock::time_point begin = Clock::now();
    pid_ = fork();
    PSHARD_CHECK(pid_ >= 0);
    if (pid_ == 0) be_the_child(program, command, environment, out, err);
    setpgid(pid_, pid_);  // here and in the child: whoever is first
    close(out.ends[1]);
    close(err.ends[1]);
    reader_ = std::thread([this, out, err, begin, limit = program.limit_seconds] {
        result_.timed_out = !read_all(out, err, result_, limit);
        if (result_.timed_out) kill(-pid_, SIGKILL);
        result_.exit_code = wait_for(pid_);
        result_.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
        close(out.ends[0]);
        close(err.ends[0]);
        ended_ = true;
    });
}

RunningChild::~RunningChild() { end(SIGKILL); }

const ChildResult& RunningChild::wait() {
    if (reader_.joinable()) reader_.join();
    return result_;
}

const ChildResult& RunningChild::end(int signal) {
    if (!ended_) kill(-pid_, signal);
    return wait();
}

ChildResult run(const ChildProgram& program) { return RunningChild(program).wait(); }

}  // namespace pshard::backend_test
