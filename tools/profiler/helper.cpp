#include "profiler/helper.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <sstream>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include "common/folders.h"
#include "probe/devices.h"
#include "probe/launch_probe.h"
#include "probe/sample_run.h"
#include "profiler/guards.h"

namespace pshard::tool {
namespace {

constexpr int kPatienceMs = 120'000;
constexpr const char* kOk = "ok ";
constexpr const char* kError = "error ";

// This process's environment and `more`, which wins where both have a name.
std::vector<std::string> merged_environment(const std::map<std::string, std::string>& more) {
    std::vector<std::string> merged;
    for (const auto& [name, value] : more) merged.push_back(fmt::format("{}={}", name, value));
    for (char** variable = environ; *variable != nullptr; variable++)
        merged.emplace_back(*variable);
    return merged;
}

// The texts as exec wants them.
std::vector<char*> pointers_to(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    for (std::string& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    return pointers;
}

bool make_pipe(Descriptor& out, Descriptor& in) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    out = Descriptor(ends[0]);
    in = Descriptor(ends[1]);
    return true;
}

// Becomes the helper. Runs between fork and exec, so that it makes only calls that are safe while
// other threads hold locks.
[[noreturn]] void be_the_helper(int in, int out, const std::vector<char*>& environment) {
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
    char flag[sizeof kHelperFlag];
    std::memcpy(flag, kHelperFlag, sizeof flag);
    char* const arguments[] = {program_invocation_short_name, flag, nullptr};
    execve("/proc/self/exe", arguments, environment.data());
    _exit(1);
}

class HelperSide {
public:
    Result<std::string> obey(const std::string& request) {
        std::istringstream words(request);
        std::string verb;
        std::string device;
        std::int64_t n_tokens = 0;
        words >> verb >> device >> n_tokens;
        load_ggml_backends(ggml_folder());
        const Result<ggml_backend_dev_t> found = find_gpu(device);
        if (!found) return found.error();
        return verb == "launch" ? launch(found.value()) : run(found.value(), n_tokens);
    }

private:
    static Result<std::string> launch(ggml_backend_dev_t device) {
        const Result<LaunchCosts> costs = measure_launches(device, 1, {});
        if (!costs) return costs.error();
        return fmt::format("{} {}", costs.value().node, costs.value().graph.value_or(-1));
    }

    Result<std::string> run(ggml_backend_dev_t device, std::int64_t n_tokens) {
        if (!backend_) {
            free_before_ = memory_of(device).free;  // on CUDA this makes the context
            Result<BackendHandle> opened = open_backend(device, 1);
            if (!opened) return opened.error();
            backend_ = std::move(opened).value();
        }
        const Status done = sample_run(backend_.get(), n_tokens);
        if (!done) return done.error();
        const auto seen = static_cast<std::int64_t>(free_before_ - memory_of(device).free);
        return fmt::format("{}", seen);
    }

    BackendHandle backend_{};
    Bytes free_before_ = 0;
};

}  // namespace

int run_helper() {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prepare_ggml();
    HelperSide side;
    for (std::string request; std::getline(std::cin, request);) {
        const Result<std::string> answer = side.obey(request);
        std::cout << (answer ? kOk + answer.value() : kError + answer.error().text()) << std::endl;
    }
    return 0;
}

Result<Helper> Helper::start(const std::map<std::string, std::string>& environment) {
    Descriptor read_request;
    Helper helper;
    Descriptor write_answer;
    if (!make_pipe(read_request, helper.in_) || !make_pipe(helper.out_, write_answer)) {
        return Error{"cannot make a pipe", {}};
    }
    std::vector<std::string> merged = merged_environment(environment);
    const std::vector<char*> variables = pointers_to(merged);
    helper.pid_ = fork();
    if (helper.pid_ == 0) be_the_helper(read_request.get(), write_answer.get(), variables);
    if (helper.pid_ < 0) return Error{fmt::format("cannot fork: {}", std::strerror(errno)), {}};
    return helper;
}

Helper::Helper(Helper&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), in_(std::move(other.in_)), out_(std::move(other.out_)) {}

Helper::~Helper() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

Result<std::string> Helper::ask(const std::string& request) {
    const Error silent{"the helper process ended without an answer to: " + request, {}};
    const std::string line = request + "\n";
    if (!write_all(in_.get(), line)) return silent;
    std::string answer;
    for (char c = 0; c != '\n'; answer += c) {
        pollfd ready{out_.get(), POLLIN, 0};
        if (poll(&ready, 1, kPatienceMs) <= 0 || read(out_.get(), &c, 1) != 1) return silent;
    }
    answer.pop_back();
    if (answer.starts_with(kOk)) return answer.substr(std::strlen(kOk));
    return Error{answer.substr(std::min(answer.size(), std::strlen(kError))), {}};
}

}  // namespace pshard::tool
