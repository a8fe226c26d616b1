#include "run/command.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/visible.h"
#include "common/shell_word.h"

namespace pshard::tool {
namespace {

// The words of a command as exec takes them; they point into it.
std::vector<char*> pointers(std::vector<std::string>& words) {
    std::vector<char*> all;
    for (std::string& word : words) all.push_back(word.data());
    all.push_back(nullptr);
    return all;
}

std::vector<std::string> assignments(const Variables& variables) {
    std::vector<std::string> words;
    for (const auto& [name, value] : variables) words.push_back(fmt::format("{}={}", name, value));
    return words;
}

void execute(const Command& command) {
    std::vector<std::string> words = command.words;
    std::vector<std::string> environment = assignments(command.environment);
    std::signal(SIGXFSZ, SIG_DFL);  // what we ignore, the program need not
    execve(words.front().c_str(), pointers(words).data(), pointers(environment).data());
}

Error cannot_start(const Command& command, int code) {
    return {fmt::format("cannot be started: {}", std::strerror(code)), {command.words.front()}};
}

[[noreturn]] void be_the_child(const Command& command, int out, Catch caught) {
    const int nowhere = open("/dev/null", O_RDWR);
    dup2(nowhere, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    if (caught == Catch::OutAndErr) dup2(out, STDERR_FILENO);
    if (caught == Catch::OutAlone) dup2(nowhere, STDERR_FILENO);
    execute(command);
    _exit(127);
}

std::string read_all(int fd) {
    std::string text;
    std::array<char, 65536> buffer{};
    while (true) {
        const ssize_t n = read(fd, buffer.data(), buffer.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return text;
        text.append(buffer.data(), static_cast<std::size_t>(n));
    }
}

bool is_plain(const std::string& word) {
    const std::string_view kPlain = "-_./:=,+@%";
    return !word.empty() && std::all_of(word.begin(), word.end(), [&](unsigned char c) {
        return std::isalnum(c) != 0 || kPlain.find(static_cast<char>(c)) != std::string_view::npos;
    });
}

std::string quoted(const std::string& word) {
    if (is_plain(word)) return word;
    if (visible(word) != word) return quoted_as_visible(word);
    std::string text = "'";
    for (const char c : word) text += c == '\'' ? "'\\''" : std::string(1, c);
    return text + "'";
}

}  // namespace

Variables variables_of(const char* const* environment) {
    Variables variables;
    for (; *environment != nullptr; ++environment) {
        const std::string_view word(*environment);
        const std::size_t equals = word.find('=');
        if (equals == std::string_view::npos) continue;
        variables[std::string(word.substr(0, equals))] = word.substr(equals + 1);
    }
    return variables;
}

std::string value_of(const Variables& variables, const std::string& name) {
    const auto found = variables.find(name);
    return found == variables.end() ? "" : found->second;
}

Result<Finished> run_command(const Command& command, Catch caught) {
    if (access(command.words.front().c_str(), X_OK) != 0) return cannot_start(command, errno);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return cannot_start(command, errno);
    const pid_t pid = fork();
    if (pid < 0) return cannot_start(command, errno);
    if (pid == 0) be_the_child(command, ends[1], caught);
    close(ends[1]);
    Finished finished;
    finished.out = read_all(ends[0]);
    close(ends[0]);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    finished.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return finished;
}

Error become(const Command& command) {
    execute(command);
    return cannot_start(command, errno);
}

std::string shell_text(const Command& command, const std::vector<std::string>& shown) {
    std::string text;
    for (const std::string& name : shown) {
        text += fmt::format("{}={} ", name, quoted(value_of(command.environment, name)));
    }
    for (const std::string& word : command.words) {
        text += (&word == &command.words.front() ? "" : " ") + quoted(word);
    }
    return text;
}

}  // namespace pshard::tool
