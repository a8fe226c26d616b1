#include "profiler/progress.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <unistd.h>

#include <fmt/format.h>

#include "common/log.h"

namespace pshard::tool {
namespace {

constexpr int kBarWidth = 24;
constexpr std::size_t kLineWidth = 79;
constexpr Seconds kTerminalInterval = 0.1;
constexpr Seconds kLineInterval = 5;
constexpr double kLeastShare = 0.02;  // before it, the time left is not known

}  // namespace

std::string progress_line(double share, std::optional<Seconds> left, const std::string& what) {
    const int filled = static_cast<int>(std::lround(share * kBarWidth));
    std::string line = fmt::format("[{}{}] {:3.0f} %",
                                   std::string(static_cast<std::size_t>(filled), '#'),
                                   std::string(static_cast<std::size_t>(kBarWidth - filled), '.'),
                                   100 * share);
    if (left) line += fmt::format(", {:.0f} s left", std::ceil(*left));
    return (line + ": " + what).substr(0, kLineWidth);
}

Progress::Progress(std::optional<Seconds> time_limit)
    : time_limit_(time_limit),
      start_(std::chrono::steady_clock::now()),
      terminal_(isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
    if (terminal_ && last_shown_ >= 0) fmt::print(stderr, "\r\x1b[K");
}

void Progress::begin_part(double begin, double end) {
    begin_ = begin;
    end_ = end;
}

void Progress::show(const std::string& what, double share) {
    const Seconds now = elapsed();
    if (progress_is_silent()) return;
    if (now - last_shown_ < (terminal_ ? kTerminalInterval : kLineInterval)) return;
    last_shown_ = now;
    const double whole = begin_ + std::clamp(share, 0.0, 1.0) * (end_ - begin_);
    std::optional<Seconds> left;
    if (whole >= kLeastShare) left = now * (1 - whole) / whole;
    if (time_limit_)
        left = std::min(left.value_or(*time_limit_), std::max(0.0, *time_limit_ - now));
    const std::string line = progress_line(whole, left, what);
    if (terminal_) {
        fmt::print(stderr, "\r{}\x1b[K", line);
        std::fflush(stderr);
    } else {
        log_line(line);
    }
}

Seconds Progress::elapsed() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

}  // namespace pshard::tool
