#include "profiler/guards.h"

#include <array>
#include <atomic>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <ctime>

#include <exception>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

#include <unistd.h>

#include <fmt/format.h>
#include <ggml.h>

#include "base/units.h"
#include "common/log.h"

namespace pshard::tool {
namespace {

constexpr int kStopped = 130;

constexpr std::int64_t kSameSignalMs = 300;

std::atomic<bool> stop_noted{false};
std::atomic<std::int64_t> noted_at_ms{0};

struct Output {
    std::mutex mutex{};
    std::optional<FileUpdate> file{};
};

Output& output() {
    static Output the_output;
    return the_output;
}

// ggml's latest complaint: an abort's own message is often only "CUDA error".
struct LastComplaint {
    std::mutex mutex{};
    std::string text{};
};

LastComplaint& last_complaint() {
    static LastComplaint the_complaint;
    return the_complaint;
}

// How profiles begin [S2].
constexpr std::string_view kCpuMark = "# Concurrent Profiling";
constexpr std::string_view kGpuMark = "# GPU Profiling";
constexpr std::size_t kMostProfileBytes = 64 * kMiB;

bool may_replace(std::string_view old) {
    return old.empty() || old.starts_with(kCpuMark) || old.starts_with(kGpuMark);
}

std::int64_t now_ms() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

// The file that the signal handler removes. The handler may touch nothing that could be half
// changed.
std::array<char, PATH_MAX> temporary_path{};

void keep_temporary_path(const std::string& path) {
    if (path.size() < temporary_path.size()) path.copy(temporary_path.data(), path.size());
}

// Notes the first signal, ends the process at the second. Some senders (timeout, a shell) send one
// twice at once: that counts as one.
void on_signal(int /*signal*/) {
    if (!stop_noted.exchange(true)) {
        noted_at_ms = now_ms();
    } else if (now_ms() - noted_at_ms > kSameSignalMs) {
        if (temporary_path[0] != 0) unlink(temporary_path.data());
        _exit(kStopped);
    }
}

void on_log(ggml_log_level level, const char* text, void* /*data*/) {
    if (level != GGML_LOG_LEVEL_ERROR) return;
    LastComplaint& last = last_complaint();
    const std::lock_guard lock(last.mutex);
    last.text = text;
    while (!last.text.empty() && last.text.back() == '\n') last.text.pop_back();
}

[[noreturn]] void end_by_fault(const std::string& reason) {
    discard_output();
    log_line(reason);
    _exit(1);
}

void on_abort(const char* message) {
    std::string complaint;
    {
        LastComplaint& last = last_complaint();
        const std::lock_guard lock(last.mutex);
        complaint = last.text;
    }
    end_by_fault(complaint.empty() ? fmt::format("ggml gave up: {}", message)
                                   : fmt::format("ggml gave up: {}: {}", message, complaint));
}

// Ends by what a driver throws in a thread of ours, as Vulkan does when the device is lost.
void on_terminate() {
    std::string reason = "an exception of no known kind";
    try {
        if (std::current_exception()) std::rethrow_exception(std::current_exception());
    } catch (const std::exception& error) {
        reason = error.what();
    } catch (...) {
    }
    end_by_fault("the device gave up: " + reason);
}

}  // namespace

void watch_for_stop() {
    std::signal(SIGINT, on_signal);
    std::signal(SIGTERM, on_signal);
    std::signal(SIGPIPE, SIG_IGN);  // a helper that died is an Error, not our end
}

bool stop_wanted() { return stop_noted; }

Status begin_output(const std::string& path) {
    Result<FileUpdate> file = [&] {
        const SlowNotice notice(
            fmt::format("waiting to write {}, which another process is writing", path));
        return FileUpdate::begin(path);
    }();
    if (!file) return file.error();
    const Result<std::optional<std::string>> old = file.value().read(kMostProfileBytes);
    if (!old) return old.error();
    if (!may_replace(old.value().value_or(""))) {
        return Error{"exists and is no profile; it stays as it is, give --output another file",
                     {path}};
    }
    const std::lock_guard lock(output().mutex);
    keep_temporary_path(file.value().temporary_path());
    output().file.emplace(std::move(file).value());
    return Done{};
}

Status commit_output(const std::string& text) {
    const std::lock_guard lock(output().mutex);
    Status written = output().file->commit(text);
    output().file.reset();
    return written;
}

void discard_output() {
    const std::lock_guard lock(output().mutex);
    output().file.reset();
}

void prepare_ggml() {
    setenv("GGML_CUDA_REGISTER_HOST", "1", 0);
    ggml_log_set(on_log, nullptr);
    ggml_set_abort_callback(on_abort);
    std::set_terminate(on_terminate);
}

}  // namespace pshard::tool
