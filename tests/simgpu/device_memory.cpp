#include "simgpu/device_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

namespace pshard::simgpu {

DeviceMemory::~DeviceMemory() {
    for (const auto& [data, bytes] : allocations_) munmap(data, bytes);
}

std::byte* DeviceMemory::allocate(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    if (bytes > total_ - used_ - taken_) return nullptr;
    void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) return nullptr;
    std::memset(data, kPoison, bytes);
    used_ += bytes;
    peak_ = std::max(peak_, used_);
    auto* begin = static_cast<std::byte*>(data);
    allocations_[begin] = bytes;
    return begin;
}

void DeviceMemory::release(std::byte* data) {
    const std::lock_guard lock(mutex_);
    const auto found = allocations_.find(data);
    if (found == allocations_.end()) return;
    used_ -= found->second;
    munmap(data, found->second);
    allocations_.erase(found);
}

void DeviceMemory::take(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    taken_ += std::min(bytes, total_ - used_ - taken_);
}

std::size_t DeviceMemory::free_bytes() const {
    const std::lock_guard lock(mutex_);
    return total_ - used_ - taken_;
}

std::size_t DeviceMemory::peak_bytes() const {
    const std::lock_guard lock(mutex_);
    return peak_;
}

}  // namespace pshard::simgpu
