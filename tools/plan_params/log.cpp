#include "plan_params/log.h"

#include <cstdio>
#include <utility>

#include <fmt/format.h>

namespace pshard::tool {

void log_line(const std::string& text) {
    fmt::print(stderr, "llama-pshard-plan-params: {}\n", text);
}

SlowNotice::SlowNotice(std::string what) {
    thread_ = std::thread([this, what = std::move(what)] {
        std::unique_lock lock(mutex_);
        const bool quick = ended_.wait_for(lock, std::chrono::seconds(1), [this] { return done_; });
        if (!quick) log_line(what + " ...");
    });
}

SlowNotice::~SlowNotice() {
    {
        const std::lock_guard lock(mutex_);
        done_ = true;
    }
    ended_.notify_one();
    thread_.join();
}

}  // namespace pshard::tool
