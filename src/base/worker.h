// A thread that does jobs in the order in which they are posted.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace pshard {

class Worker {
public:
    Worker();
    ~Worker();  // waits for the last job

    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    using Ticket = std::uint64_t;

    Ticket post(std::function<void()> job);
    void wait_for(Ticket ticket);  // returns when that job is done
    void drain();                  // returns when all jobs that were posted before it are done

private:
    void run();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> jobs_;
    Ticket posted_ = 0;
    Ticket done_ = 0;
    bool stop_ = false;
    std::thread thread_;
};

}  // namespace pshard
