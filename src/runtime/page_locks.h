// Page locks on host memory that a device copies from: such copies reach the full rate of the link
// and hold nobody. Pages are locked where they are; the model's file stays the only copy. The
// device may read them only, as CUDA is told: what it writes goes through a Staging.
#pragma once

#include <map>
#include <vector>

#include "base/progress.h"
#include "ggml_kit/page_lock.h"

namespace pshard {

struct HostRange {
    const std::byte* data = nullptr;
    Bytes bytes = 0;

    bool operator==(const HostRange&) const = default;
};

[[nodiscard]] Bytes total_bytes(const std::vector<HostRange>& ranges);

// The runs of whole pages, of `page` bytes each, that hold the ranges; ascending. Runs that touch
// or overlap are one: a copy across the border of two locks is no copy of locked memory.
std::vector<HostRange> pages_of(std::vector<HostRange> ranges, Bytes page);

// All locks of a process. They change only while nothing is copied.
class PageLocks {
public:
    // Locks at most `limit` bytes at a time.
    PageLocks(ggml_backend_dev_t device, Bytes limit);

    PageLocks(const PageLocks&) = delete;
    PageLocks& operator=(const PageLocks&) = delete;

    // Ranges that are locked until this goes. Their memory must outlive it, and so must the
    // PageLocks.
    class Lock {
    public:
        Lock() = default;
        Lock(Lock&& other) noexcept;
        Lock& operator=(Lock&& other) noexcept;
        ~Lock();

        [[nodiscard]] Bytes bytes() const { return total_bytes(ranges_); }

    private:
        friend class PageLocks;
        PageLocks* locks_ = nullptr;
        std::vector<HostRange> ranges_;
    };

    // Locks the pages that the ranges lie in, as far as the limit and the device allow; none if the
    // device cannot. A run of pages is locked whole or not at all: a driver may refuse a copy that
    // only begins in a locked page. A lock reads its pages from the disk.
    // `on_progress` is told of MiB.
    [[nodiscard]] Lock lock(std::vector<HostRange> ranges, const OnProgress& on_progress = {});

    // Whether all of the bytes lie in one lock.
    [[nodiscard]] bool hold(const void* data, Bytes bytes) const;

    // Whether any page of the bytes is locked.
    [[nodiscard]] bool touch(const void* data, Bytes bytes) const;

private:
    [[nodiscard]] bool may_add(const HostRange& pages) const;
    bool add(const HostRange& pages);
    void remove(const HostRange& pages);

    struct Locked {
        Bytes bytes = 0;
        PageLock lock;
    };

    ggml_backend_dev_t device_;
    Bytes left_;
    std::map<const std::byte*, Locked> locked_;  // by first byte
};

}  // namespace pshard
