#include "common/log.h"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <utility>

#include <unistd.h>

#include <fmt/format.h>

#include "base/parallel.h"
#include "base/visible.h"

namespace pshard::tool {
namespace {

std::atomic<bool> progress_silent = false;

// The line of a terminal that the next one writes over.
void show_live(const std::string& text) {
    const std::string line =
        text.empty() ? "" : fmt::format("{}: {}", program_invocation_short_name, visible(text));
    fmt::print(stderr, "\r{}\x1b[K", line);
    std::fflush(stderr);
}

}  // namespace

void log_line(const std::string& text) {
    fmt::print(stderr, "{}: {}\n", program_invocation_short_name, visible(text));
}

void silence_progress() { progress_silent = true; }

bool progress_is_silent() { return progress_silent; }

SlowNotice::SlowNotice(std::string what, std::string unit)
    : what_(std::move(what)), unit_(std::move(unit)) {
    if (!progress_is_silent()) thread_ = started_thread([this] { run(); });
}

SlowNotice::~SlowNotice() {
    {
        const std::lock_guard lock(mutex_);
        has_ended_ = true;
    }
    ended_.notify_one();
    if (thread_.joinable()) thread_.join();
}

void SlowNotice::show(std::size_t done, std::size_t all) {
    const std::lock_guard lock(mutex_);
    done_ = done;
    all_ = all;
}

std::string SlowNotice::text() const {
    if (all_ == 0) return what_ + " ...";
    return fmt::format("{} ... {} of {} {}", what_, done_, all_, unit_);
}

void SlowNotice::run() {
    const bool terminal = isatty(STDERR_FILENO) == 1;
    const std::chrono::milliseconds interval(terminal ? 250 : 5000);
    std::string shown;
    std::unique_lock lock(mutex_);
    std::chrono::milliseconds patience(1000);
    while (!ended_.wait_for(lock, patience, [this] { return has_ended_; })) {
        patience = interval;
        const std::string line = text();
        if (line == shown) continue;
        shown = line;
        if (!terminal) log_line(line);
        if (terminal) show_live(line);
    }
    if (terminal && !shown.empty()) show_live("");
}

}  // namespace pshard::tool
