#include "simgpu/copy_engine.h"

#include <algorithm>
#include <cstring>

namespace pshard::simgpu {

CopyEngine::CopyEngine(double gbps) : gbps_(gbps), link_(gbps), thread_([this] { work(); }) {}

CopyEngine::~CopyEngine() {
    {
        const std::lock_guard lock(mutex_);
        closing_ = true;
    }
    come_.notify_all();
    thread_.join();
}

void CopyEngine::copy(const Copy& whole) {
    if (whole.bytes == 0) return;
    Job job{whole, Clock::now()};
    std::unique_lock lock(mutex_);
    turns_.push_back(&job);
    come_.notify_all();
    gone_.wait(lock, [&job] { return job.done; });
}

void CopyEngine::copy_slowly(const Copy& whole, double share) {
    Throttle pace(gbps_ * share);
    Clock::time_point through = Clock::now();
    for (std::size_t at = 0; at < whole.bytes; at += kChunk) {
        const std::size_t bytes = std::min(kChunk, whole.bytes - at);
        copy({whole.to + at, whole.from + at, bytes});
        through = pace.through(through, bytes);
        std::this_thread::sleep_until(through);
    }
}

void CopyEngine::copy_chunk(Job& job) {
    const std::size_t bytes = std::min(kChunk, job.left.bytes);
    job.ready = link_.through(job.ready, bytes);
    std::this_thread::sleep_until(job.ready);
    std::memcpy(job.left.to, job.left.from, bytes);
    job.left = {job.left.to + bytes, job.left.from + bytes, job.left.bytes - bytes};
    bytes_copied_ += bytes;
}

void CopyEngine::work() {
    std::unique_lock lock(mutex_);
    while (true) {
        come_.wait(lock, [this] { return closing_ || !turns_.empty(); });
        if (turns_.empty()) return;
        Job* job = turns_.front();
        turns_.pop_front();
        lock.unlock();
        copy_chunk(*job);
        lock.lock();
        if (job->left.bytes > 0) {
            turns_.push_back(job);
            continue;
        }
        job->done = true;
        gone_.notify_all();
    }
}

}  // namespace pshard::simgpu
