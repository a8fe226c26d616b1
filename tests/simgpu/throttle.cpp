#include "simgpu/throttle.h"

#include <algorithm>

namespace pshard::simgpu {

Clock::duration seconds(double s) {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(s));
}

Clock::time_point Throttle::through(Clock::time_point ready, std::size_t bytes) {
    if (gbps_ <= 0) return ready;
    free_at_ = std::max(free_at_, ready) + seconds(static_cast<double>(bytes) / (gbps_ * 1e9));
    return free_at_;
}

}  // namespace pshard::simgpu
