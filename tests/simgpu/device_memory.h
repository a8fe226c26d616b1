// The device's memory: so many bytes and no more. Real host memory, filled with 0xff when it is
// handed out, which reads as NaN in every float type and as garbage in every quantized one.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>

namespace pshard::simgpu {

class DeviceMemory {
public:
    static constexpr int kPoison = 0xff;

    explicit DeviceMemory(std::size_t total) : total_(total) {}

    DeviceMemory(const DeviceMemory&) = delete;
    DeviceMemory& operator=(const DeviceMemory&) = delete;
    ~DeviceMemory();

    // Null when not so much is left.
    [[nodiscard]] std::byte* allocate(std::size_t bytes);
    void release(std::byte* data);

    // What a driver takes for itself and never gives back; of the rest, when that is less.
    void take(std::size_t bytes);

    [[nodiscard]] std::size_t total_bytes() const { return total_; }

    [[nodiscard]] std::size_t free_bytes() const;
    [[nodiscard]] std::size_t peak_bytes() const;

private:
    const std::size_t total_;
    mutable std::mutex mutex_;
    std::size_t used_ = 0;
    std::size_t taken_ = 0;
    std::size_t peak_ = 0;
    std::map<std::byte*, std::size_t> allocations_;
};

}  // namespace pshard::simgpu
