// A load for the link: copies between host and device that run in the background, to measure what
// else goes slower meanwhile, and how fast the link still is.
//
//   auto load = CopyLoad::start(device, {});
//   const Bytes before = load.value()->bytes();
//   ... the work, timed: at least 20 ms, so that a few copies end in it ...
//   rate = (load.value()->bytes() - before) / seconds
//
// The thread sleeps while a copy runs, so it takes no core from the CPU's ops. (A driver that
// copies by the CPU takes some all the same.)
#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "probe/copy_queue.h"
#include "probe/host_memory.h"

namespace pshard {

enum class CopyDirection : std::uint8_t {
    Up,           // host to device
    Down,         // device to host
    Alternating,  // a copy up, a copy down: the published profilers' load
};

struct CopyLoadOptions {
    CopyDirection direction = CopyDirection::Alternating;
    Bytes bytes = 256 * kMiB;  // host memory and device memory that it takes: beyond the caches
};

class CopyLoad {
public:
    // Copies from when this returns until destruction. Uses pinned memory, pageable where the
    // device has none. Fails when memory is short.
    static Result<std::unique_ptr<CopyLoad>> start(ggml_backend_dev_t device,
                                                   const CopyLoadOptions& options);
    CopyLoad(const CopyLoad&) = delete;
    CopyLoad& operator=(const CopyLoad&) = delete;
    ~CopyLoad();  // when the copy under way has ended

    // Copied so far, both directions together; grows by about 2 ms worth of copying at a time.
    [[nodiscard]] Bytes bytes() const { return bytes_; }

private:
    CopyLoad(CopyQueue queue, HostBlock memory, CopyDirection direction);
    void run();
    Seconds copy_once();

    CopyQueue queue_;
    HostBlock memory_;
    CopyDirection direction_;
    Bytes piece_;
    Bytes at_ = 0;
    bool down_next_ = false;
    Seconds nap_ = 0;
    std::atomic<Bytes> bytes_{0};
    std::atomic<bool> stop_{false};
    std::thread thread_{};
};

}  // namespace pshard
