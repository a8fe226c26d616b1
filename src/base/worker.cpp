#include "base/worker.h"

#include <utility>

namespace pshard {

Worker::Worker() : thread_([this] { run(); }) {}

Worker::~Worker() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

Worker::Ticket Worker::post(std::function<void()> job) {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
    changed_.notify_all();
    return ++posted_;
}

void Worker::wait_for(Ticket ticket) {
    std::unique_lock lock(mutex_);
    wait_in(lock, ticket);
}

void Worker::drain() {
    std::unique_lock lock(mutex_);
    wait_in(lock, posted_);
}

void Worker::wait_in(std::unique_lock<std::mutex>& lock, Ticket ticket) {
    changed_.wait(lock, [&] { return done_ >= ticket; });
    if (thrown_) std::rethrow_exception(thrown_);
}

void Worker::stop_for_good(std::chrono::milliseconds longest) {
    ended_ = true;
    const auto latest = std::chrono::steady_clock::now() + longest;
    while (at_work_ && std::chrono::steady_clock::now() < latest) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

void Worker::forget_thrown() {
    const std::lock_guard lock(mutex_);
    thrown_ = nullptr;
}

namespace {

std::exception_ptr thrown_by(const std::function<void()>& job) {
    try {
        job();
        return nullptr;
    } catch (...) {
        return std::current_exception();
    }
}

}  // namespace

void sleep_for_ever() {
    while (true) std::this_thread::sleep_for(std::chrono::hours(1));
}

void Worker::park() {
    at_work_ = false;
    sleep_for_ever();
}

void Worker::run() {
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [&] { return stop_ || !jobs_.empty(); });
        if (jobs_.empty()) return;
        std::function<void()> job = std::move(jobs_.front());
        jobs_.pop_front();
        lock.unlock();
        at_work_ = true;
        if (ended_) return park();
        const std::exception_ptr thrown = thrown_by(job);
        job = nullptr;  // frees what the job holds before the job counts as done
        at_work_ = false;
        lock.lock();
        if (!thrown_) thrown_ = thrown;
        ++done_;
        changed_.notify_all();
    }
}

}  // namespace pshard
