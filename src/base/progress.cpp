#include "base/progress.h"

#include <chrono>
#include <utility>

#include <fmt/format.h>

namespace pshard {

OnProgress told_each_second(std::string what,
                            std::string unit,
                            std::function<void(std::string_view line)> log) {
    if (!log) return {};
    using Clock = std::chrono::steady_clock;
    return
        [what = std::move(what), unit = std::move(unit), log = std::move(log), last = Clock::now()](
            std::size_t done, std::size_t all) mutable {
            if (Clock::now() - last < std::chrono::seconds(1)) return;
            last = Clock::now();
            log(fmt::format("{}: {} of {} {}", what, done, all, unit));
        };
}

}  // namespace pshard
