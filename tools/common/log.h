// What goes to stderr.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace pshard::tool {

// One line: control bytes stand as \xNN.
std::string visible(const std::string& text);

// "PROGRAM: TEXT", visible.
void log_line(const std::string& text);

// Says what is going on, if it still is after a second.
class SlowNotice {
public:
    explicit SlowNotice(std::string what);
    ~SlowNotice();

    SlowNotice(const SlowNotice&) = delete;
    SlowNotice& operator=(const SlowNotice&) = delete;

private:
    std::mutex mutex_;
    std::condition_variable ended_;
    bool done_ = false;
    std::thread thread_;
};

}  // namespace pshard::tool
