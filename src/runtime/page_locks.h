// Page locks on host memory that a device copies from: such copies reach the full rate of the link
// and hold nobody. Pages are locked where they are; the model's file stays the only copy.
#pragma once

#include <vector>

#include <ggml-backend.h>

#include "base/units.h"

namespace pshard {

struct HostRange {
    const std::byte* data = nullptr;
    Bytes bytes = 0;

    bool operator==(const HostRange&) const = default;
};

// Whole pages of `page` bytes that hold the ranges, ascending. What touches or overlaps is one: a
// copy across the border of two locks is none of a locked page.
std::vector<HostRange> pages_of(std::vector<HostRange> ranges, Bytes page);

class PageLocks {
public:
    explicit PageLocks(ggml_backend_dev_t device);
    ~PageLocks();

    PageLocks(const PageLocks&) = delete;
    PageLocks& operator=(const PageLocks&) = delete;

    // Locks the pages that the ranges lie in, at most `limit` bytes. What is one run of pages is
    // locked whole or not at all: a driver may refuse a copy that only begins in a locked page.
    // Returns the bytes locked; 0 also where the device cannot. Reads the pages from the disk, as
    // a lock must.
    Bytes lock(std::vector<HostRange> ranges, Bytes limit);

    // The memory must still be there.
    void release();

private:
    using Lock = bool (*)(void*, std::size_t);
    using Unlock = void (*)(void*);

    Lock lock_ = nullptr;
    Unlock unlock_ = nullptr;
    std::vector<HostRange> locked_;
};

}  // namespace pshard
