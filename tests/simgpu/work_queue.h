// A stream: a thread that does what is pushed, in order. And the events between streams.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace pshard::simgpu {

class WorkQueue {
public:
    WorkQueue() : thread_([this] { work(); }) {}

    WorkQueue(const WorkQueue&) = delete;
    WorkQueue& operator=(const WorkQueue&) = delete;
    WorkQueue(WorkQueue&&) = delete;
    WorkQueue& operator=(WorkQueue&&) = delete;
    ~WorkQueue();  // after all that was pushed

    void push(std::function<void()> task);

    // Returns when all is done that was pushed before.
    void drain();

private:
    void work();

    std::mutex mutex_;
    std::condition_variable come_;
    std::condition_variable gone_;
    std::deque<std::function<void()>> tasks_;
    std::size_t n_pushed_ = 0;
    std::size_t n_done_ = 0;
    bool closing_ = false;
    std::thread thread_;  // last: it uses all the others
};

// One recording of an event: set once, by the stream that gets to it.
class Flag {
public:
    void set();
    void wait();

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool set_ = false;
};

}  // namespace pshard::simgpu
