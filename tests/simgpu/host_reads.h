// Host memory that copies under way still have to read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>

#include "simgpu/segment_map.h"

namespace pshard::simgpu {

class HostReads {
public:
    using Ticket = std::uint64_t;

    Ticket begin(Range range) {
        const std::lock_guard lock(mutex_);
        ranges_[++last_] = range;
        return last_;
    }

    void end(Ticket ticket) {
        const std::lock_guard lock(mutex_);
        ranges_.erase(ticket);
    }

    [[nodiscard]] bool touch(Range range) const {
        const std::lock_guard lock(mutex_);
        for (const auto& [ticket, other] : ranges_) {
            if (range.begin < other.end && other.begin < range.end) return true;
        }
        return false;
    }

private:
    mutable std::mutex mutex_;
    Ticket last_ = 0;
    std::map<Ticket, Range> ranges_;
};

}  // namespace pshard::simgpu
