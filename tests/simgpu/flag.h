// One recording of an event: set once, by the stream that gets to it.
#pragma once

#include <condition_variable>
#include <mutex>

namespace pshard::simgpu {

class Flag {
public:
    void set() {
        {
            const std::lock_guard lock(mutex_);
            set_ = true;
        }
        changed_.notify_all();
    }

    void wait() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return set_; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool set_ = false;
};

}  // namespace pshard::simgpu
