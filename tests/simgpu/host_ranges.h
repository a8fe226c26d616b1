// Host memory that is page-locked: what pinned buffers hold, and what was registered in place. One
// list for the process, as page locks are the process's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>

namespace pshard::simgpu {

class HostRanges {
public:
    static HostRanges& of_process();

    enum class Kind {
        Pinned,
        Registered  // the device may read it only, as ggml's CUDA backend locks it
    };

    // Refuses what overlaps memory that is locked already, as CUDA does, and no bytes.
    bool add(const void* data, std::size_t bytes, Kind kind);

    // `data`: where an added range begins. Does nothing for another address.
    void remove(const void* data);

    // Whether the bytes lie in one range. Across the border of two they do not: a driver sees two
    // locks there.
    [[nodiscard]] bool pinned(const void* data, std::size_t bytes) const;

    // Whether the device may write all of the bytes.
    [[nodiscard]] bool writable(const void* data, std::size_t bytes) const;

    [[nodiscard]] std::size_t registered_bytes() const;

private:
    struct Locked {
        std::size_t bytes = 0;
        Kind kind = Kind::Pinned;
    };

    mutable std::mutex mutex_;
    std::map<std::uintptr_t, Locked> ranges_;  // by where they begin
};

}  // namespace pshard::simgpu
