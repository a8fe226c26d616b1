// A load for the link: copies between host and device that run in the background, while something
// else is timed. They show how much slower that gets, and how fast the link still is.
//
//   auto load = CopyLoad::start(device, {});
//   const Bytes before = load.value()->bytes();
//   ... the work that is timed, of at least 20 ms, so that a few copies end in it ...
//   rate = (load.value()->bytes() - before) / seconds
//
// The thread sleeps while a copy runs, so it takes no core from the CPU's ops. (A driver that
// copies by the CPU takes some cores all the same.)
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
    Alternating,  // a copy up, then one down, as the published profilers load the link
};

struct CopyLoadOptions {
    CopyDirection direction = CopyDirection::Alternating;
    Bytes bytes = 256 * kMiB;  // of host and of device memory, so that no cache holds them
};

class CopyLoad {
public:
    // The load copies from now until its destruction. It uses pinned memory, or pageable memory if
    // the device has none. Fails if memory is short.
    static Result<std::unique_ptr<CopyLoad>> start(ggml_backend_dev_t device,
                                                   const CopyLoadOptions& options);
    CopyLoad(const CopyLoad&) = delete;
    CopyLoad& operator=(const CopyLoad&) = delete;
    ~CopyLoad();  // waits for the copy under way

    // The bytes copied so far, in both directions together. The count grows about every 2 ms.
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
