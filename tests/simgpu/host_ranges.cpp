#include "simgpu/host_ranges.h"

#include <iterator>

namespace pshard::simgpu {

HostRanges& HostRanges::of_process() {
    static HostRanges ranges;
    return ranges;
}

bool HostRanges::add(const void* data, std::size_t bytes) {
    const auto begin = reinterpret_cast<std::uintptr_t>(data);
    const std::lock_guard lock(mutex_);
    const auto next = ranges_.lower_bound(begin);
    if (bytes == 0 || (next != ranges_.end() && next->first < begin + bytes)) return false;
    if (next != ranges_.begin()) {
        const auto& [before, length] = *std::prev(next);
        if (before + length > begin) return false;
    }
    ranges_[begin] = bytes;
    return true;
}

void HostRanges::remove(const void* data) {
    const std::lock_guard lock(mutex_);
    ranges_.erase(reinterpret_cast<std::uintptr_t>(data));
}

bool HostRanges::pinned(const void* data, std::size_t bytes) const {
    const auto begin = reinterpret_cast<std::uintptr_t>(data);
    const std::lock_guard lock(mutex_);
    const auto next = ranges_.upper_bound(begin);
    if (next == ranges_.begin()) return false;
    const auto& [first, length] = *std::prev(next);
    return begin + bytes <= first + length;
}

}  // namespace pshard::simgpu
