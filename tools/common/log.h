// What goes to stderr.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <string>
#include <thread>

namespace pshard::tool {

// "PROGRAM: TEXT", visible (base/visible.h).
void log_line(const std::string& text);

// Lets this program show no progress from now on (--quiet): what it says at its end stays.
void silence_progress();
bool progress_is_silent();

// Says what is going on, if it still is after a second, and from then on how far it is: on a
// terminal in one line, which goes at the end, else in a line every five seconds.
class SlowNotice {
public:
    // `unit`: of what show() counts, "tiers".
    explicit SlowNotice(std::string what, std::string unit = "");
    ~SlowNotice();

    // `done` of `all` units are done. Any thread may say so.
    void show(std::size_t done, std::size_t all);

    SlowNotice(const SlowNotice&) = delete;
    SlowNotice& operator=(const SlowNotice&) = delete;

private:
    void run();
    [[nodiscard]] std::string text() const;

    std::string what_;
    std::string unit_;
    std::mutex mutex_;
    std::condition_variable ended_;
    bool has_ended_ = false;
    std::size_t done_ = 0;
    std::size_t all_ = 0;  // 0: nothing is counted
    std::thread thread_;
};

}  // namespace pshard::tool
