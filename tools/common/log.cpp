#include "common/log.h"

#include <cerrno>
#include <cstdio>
#include <utility>

#include <fmt/format.h>

namespace pshard::tool {

// Names from files may hold anything: control bytes would move the terminal's cursor.
std::string visible(const std::string& text) {
    std::string visible;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < ' ' || byte == 127) {
            visible += fmt::format("\\x{:02x}", byte);
        } else {
            visible += c;
        }
    }
    return visible;
}

void log_line(const std::string& text) {
    fmt::print(stderr, "{}: {}\n", program_invocation_short_name, visible(text));
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
