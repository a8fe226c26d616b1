#include "simgpu/host_ranges.h"

#include <algorithm>
#include <iterator>

namespace pshard::simgpu {

HostRanges& HostRanges::of_process() {
    static HostRanges ranges;
    return ranges;
}

bool HostRanges::add(const void* data, std::size_t bytes, Kind kind) {
    const auto begin = reinterpret_cast<std::uintptr_t>(data);
    const std::lock_guard lock(mutex_);
    const auto next = ranges_.lower_bound(begin);
    if (bytes == 0 || (next != ranges_.end() && next->first < begin + bytes)) return false;
    if (next != ranges_.begin()) {
        const auto& [before, locked] = *std::prev(next);
        if (before + locked.bytes > begin) return false;
    }
    ranges_[begin] = {bytes, kind};
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
    const auto& [first, locked] = *std::prev(next);
    return begin + bytes <= first + locked.bytes;
}

bool HostRanges::writable(const void* data, std::size_t bytes) const {
    const auto begin = reinterpret_cast<std::uintptr_t>(data);
    const std::lock_guard lock(mutex_);
    return std::none_of(ranges_.begin(), ranges_.end(), [&](const auto& range) {
        const auto& [first, locked] = range;
        const bool touches = first < begin + bytes && begin < first + locked.bytes;
        return touches && locked.kind == Kind::Registered;
    });
}

std::size_t HostRanges::registered_bytes() const {
    const std::lock_guard lock(mutex_);
    std::size_t bytes = 0;
    for (const auto& [first, locked] : ranges_) {
        if (locked.kind == Kind::Registered) bytes += locked.bytes;
    }
    return bytes;
}

}  // namespace pshard::simgpu
