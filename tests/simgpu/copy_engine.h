// One direction of the link: a thread that copies, at the rate of the link. Copies of several
// callers take turns in chunks.
//
//   callers   a: aaaa.......  b: ..bb...       time ->
//   link         |aaabab a|
//
// A chunk's source is read at the end of the time that it takes: as late as it may be.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>

#include "simgpu/throttle.h"

namespace pshard::simgpu {

struct Copy {
    std::byte* to = nullptr;
    const std::byte* from = nullptr;
    std::size_t bytes = 0;
};

class CopyEngine {
public:
    static constexpr std::size_t kChunk = std::size_t{1} << 20U;

    explicit CopyEngine(double gbps);
    CopyEngine(const CopyEngine&) = delete;
    CopyEngine& operator=(const CopyEngine&) = delete;
    ~CopyEngine();

    // Returns when the bytes are there.
    void copy(const Copy& whole);

    // The same at `share` of the link's rate, which it leaves free in between.
    void copy_slowly(const Copy& whole, double share);

    [[nodiscard]] double gbps() const { return gbps_; }

    [[nodiscard]] std::uint64_t bytes_copied() const { return bytes_copied_; }

private:
    struct Job {
        Copy left;
        Clock::time_point ready;
        bool done = false;
    };

    void work();
    void copy_chunk(Job& job);

    double gbps_;
    Throttle link_;
    std::atomic<std::uint64_t> bytes_copied_ = 0;
    std::mutex mutex_;
    std::condition_variable come_;
    std::condition_variable gone_;
    std::deque<Job*> turns_;
    bool closing_ = false;
    std::thread thread_;  // last: it uses all the others
};

}  // namespace pshard::simgpu
