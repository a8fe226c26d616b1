// When bytes are through a pipe of a given rate. Looks at no clock: its callers do, and sleep.
//
//   pieces   a: ready at 0, 10 bytes      b: ready at 5, 10 bytes        rate: 1 byte/s
//   pipe     |aaaaaaaaaa|bbbbbbbbbb|      through(a) = 10, through(b) = 20
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace pshard::simgpu {

using Clock = std::chrono::steady_clock;

// A time span as the clock counts it.
[[nodiscard]] inline Clock::duration seconds(double s) {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(s));
}

class Throttle {
public:
    // `gbps`: 1e9 bytes a second; 0: no bound.
    explicit Throttle(double gbps) : gbps_(gbps) {}

    // When a piece is through that could start at `ready`. Pieces go one after another, in the
    // order of the calls; a piece that follows at once on its forerunner names that one's end as
    // `ready`, so that a late sleeper loses no bandwidth.
    Clock::time_point through(Clock::time_point ready, std::size_t bytes) {
        if (gbps_ <= 0) return ready;
        free_at_ = std::max(free_at_, ready) + seconds(static_cast<double>(bytes) / (gbps_ * 1e9));
        return free_at_;
    }

private:
    double gbps_;
    Clock::time_point free_at_{};
};

}  // namespace pshard::simgpu
