// Host memory that is page-locked: pinned buffers that the runtime made, and what was registered
// where it lies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include "fakecuda/api.h"

namespace pshard::fakecuda {

// How a copy's host side lies.
enum class HostSide {
    Pageable,
    Locked,
    ReadOnly,    // locked for reading by the device only
    Straddling,  // in part
    Unmapped     // locked once, but the pages are gone
};

class HostLocks {
public:
    struct Lock {
        std::size_t bytes = 0;
        bool registered = false;
        bool read_only = false;
    };

    void begin_again(std::size_t lockable_bytes) {
        locks_.clear();
        locked_bytes_ = 0;
        lockable_bytes_ = lockable_bytes;
    }

    // kSuccess, kAlreadyRegistered where it overlaps a lock, kOutOfMemory above the limit.
    Error add(const void* data, Lock lock);

    // The lock that begins there, which is dropped; no bytes: there is none.
    Lock remove(const void* data);

    [[nodiscard]] HostSide side_of(const void* data, std::size_t bytes) const;

    // Whether the pages are still mapped.
    static bool is_mapped(const void* data, std::size_t bytes);

private:
    std::map<std::uintptr_t, Lock> locks_;
    std::size_t locked_bytes_ = 0;
    std::size_t lockable_bytes_ = 0;
};

}  // namespace pshard::fakecuda
