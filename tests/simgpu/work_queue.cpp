#include "simgpu/work_queue.h"

#include <utility>

namespace pshard::simgpu {

WorkQueue::~WorkQueue() {
    {
        const std::lock_guard lock(mutex_);
        closing_ = true;
    }
    come_.notify_all();
    thread_.join();
}

void WorkQueue::push(std::function<void()> task) {
    {
        const std::lock_guard lock(mutex_);
        tasks_.push_back(std::move(task));
        ++n_pushed_;
    }
    come_.notify_all();
}

void WorkQueue::drain() {
    std::unique_lock lock(mutex_);
    const std::size_t wanted = n_pushed_;
    gone_.wait(lock, [this, wanted] { return n_done_ >= wanted; });
}

void WorkQueue::work() {
    std::unique_lock lock(mutex_);
    while (true) {
        come_.wait(lock, [this] { return closing_ || !tasks_.empty(); });
        if (tasks_.empty()) return;
        std::function<void()> task = std::move(tasks_.front());
        tasks_.pop_front();
        lock.unlock();
        task();
        task = nullptr;  // what it holds goes before it counts as done
        lock.lock();
        ++n_done_;
        gone_.notify_all();
    }
}

void Flag::set() {
    {
        const std::lock_guard lock(mutex_);
        set_ = true;
    }
    changed_.notify_all();
}

void Flag::wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return set_; });
}

}  // namespace pshard::simgpu
