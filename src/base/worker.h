// A thread that does jobs in the order in which they are posted.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

namespace pshard {

// For a thread that must do nothing more while another one ends the process.
[[noreturn]] void sleep_for_ever();

class Worker {
public:
    Worker();
    ~Worker();  // waits for the last job

    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    using Ticket = std::uint64_t;

    Ticket post(std::function<void()> job);
    // Returns when that job is done. From then on that a job has thrown, this and drain() throw the
    // same to everybody who waits, until forget_thrown().
    void wait_for(Ticket ticket);
    void drain();  // returns when all jobs that were posted before it are done
    void forget_thrown();
    // Lets the job that runs end, for `longest` at most, and starts no other: who waits for those
    // that were posted waits for ever. For the end of a process, from any thread; takes no lock.
    void stop_for_good(std::chrono::milliseconds longest);

private:
    void run();
    void park();
    void wait_in(std::unique_lock<std::mutex>& lock, Ticket ticket);

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> jobs_;
    Ticket posted_ = 0;
    Ticket done_ = 0;
    std::exception_ptr thrown_{};  // what a job threw first
    bool stop_ = false;
    std::atomic<bool> at_work_ = false;
    std::atomic<bool> ended_ = false;  // by stop_for_good()
    std::thread thread_;
};

}  // namespace pshard
