// Decides which pages are locked. In: ranges of host memory that are uploaded again and again, most
// of them weights in a mapped file. Out: locks on runs of whole pages, within a limit.
//
//   ranges   [   w0   ][w1 ]      [     w2     ]
//   pages    |....|....|....|....|....|....|....|
//   locks    [--------------]     [-------------]
//
// Ranges whose pages touch become one lock: a copy across the border of two locks is not a copy of
// locked memory, and a driver may refuse one that begins in a locked page and ends outside. So a
// run is locked whole or not at all, and once the limit or the driver refuses one, smaller runs
// that come later may still get theirs.
//
// To lock pages reads them from the disk; where somebody wants to know how far that is, they are
// read in steps before. The locks change only while nothing is copied, so that
// hold(), which a copying thread asks, needs no lock of its own.
#include "runtime/page_locks.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <utility>

namespace pshard {
namespace {

// A run of fewer bytes is not worth a lock of its own.
constexpr Bytes kLeastLock = 64 * kKiB;

HostRange whole_pages(const HostRange& range, Bytes page) {
    const auto begin = reinterpret_cast<std::uintptr_t>(range.data);
    const std::uintptr_t first = begin / page * page;
    const std::uintptr_t end = (begin + range.bytes + page - 1) / page * page;
    return {range.data - (begin - first), end - first};
}

// Reads pages from the disk before they are locked, which is most of the time that a lock takes: a
// driver locks a run in one call, and tells nobody how far it is.
struct Reading {
    const OnProgress& on_progress;
    Bytes all = 0;
    Bytes done = 0;

    void read(const HostRange& pages) {
        constexpr Bytes kStep = 64 * kMiB;
        for (Bytes at = 0; at < pages.bytes; at += kStep) {
            const Bytes step = std::min(kStep, pages.bytes - at);
            // Where the system cannot (before Linux 5.14), the lock reads them all the same.
            madvise(const_cast<std::byte*>(pages.data + at), step, MADV_POPULATE_READ);
            done += step;
            on_progress(done / kMiB, all / kMiB);
        }
    }
};

}  // namespace

Bytes total_bytes(const std::vector<HostRange>& ranges) {
    Bytes bytes = 0;
    for (const HostRange& range : ranges) bytes += range.bytes;
    return bytes;
}

std::vector<HostRange> pages_of(std::vector<HostRange> ranges, Bytes page) {
    for (HostRange& range : ranges) range = whole_pages(range, page);
    std::sort(ranges.begin(), ranges.end(), [](const HostRange& a, const HostRange& b) {
        return a.data < b.data;
    });
    std::vector<HostRange> pages;
    for (const HostRange& range : ranges) {
        const bool touches = !pages.empty() && range.data <= pages.back().data + pages.back().bytes;
        if (!touches) {
            pages.push_back(range);
            continue;
        }
        const auto end = static_cast<Bytes>(range.data + range.bytes - pages.back().data);
        pages.back().bytes = std::max(pages.back().bytes, end);
    }
    return pages;
}

PageLocks::PageLocks(ggml_backend_dev_t device, Bytes limit) : device_(device), left_(limit) {}

PageLocks::Lock PageLocks::lock(std::vector<HostRange> ranges, const OnProgress& on_progress) {
    Lock lock;
    lock.locks_ = this;
    const auto page = static_cast<Bytes>(sysconf(_SC_PAGESIZE));
    const std::vector<HostRange> runs = pages_of(std::move(ranges), page);
    Reading reading{on_progress, total_bytes(runs)};
    for (const HostRange& pages : runs) {
        if (on_progress && may_add(pages)) reading.read(pages);
        if (add(pages)) lock.ranges_.push_back(pages);
    }
    return lock;
}

bool PageLocks::may_add(const HostRange& pages) const {
    return PageLock::is_offered(device_) && pages.bytes >= kLeastLock && pages.bytes <= left_;
}

bool PageLocks::add(const HostRange& pages) {
    if (!may_add(pages)) return false;
    Result<PageLock> lock = PageLock::make(device_, pages.data, pages.bytes);
    if (!lock) return false;
    locked_.emplace(pages.data, Locked{pages.bytes, std::move(lock).value()});
    left_ -= pages.bytes;
    return true;
}

void PageLocks::remove(const HostRange& pages) {
    locked_.erase(pages.data);
    left_ += pages.bytes;
}

bool PageLocks::hold(const void* data, Bytes bytes) const {
    const auto* begin = static_cast<const std::byte*>(data);
    const auto next = locked_.upper_bound(begin);
    if (next == locked_.begin()) return false;
    const auto& [first, locked] = *std::prev(next);
    return begin + bytes <= first + locked.bytes;
}

bool PageLocks::touch(const void* data, Bytes bytes) const {
    const auto* begin = static_cast<const std::byte*>(data);
    const auto next = locked_.lower_bound(begin + bytes);
    if (next == locked_.begin()) return false;
    const auto& [first, locked] = *std::prev(next);
    return first + locked.bytes > begin;
}

// ---- one lock ----

PageLocks::Lock::Lock(Lock&& other) noexcept
    : locks_(other.locks_), ranges_(std::exchange(other.ranges_, {})) {}

PageLocks::Lock& PageLocks::Lock::operator=(Lock&& other) noexcept {
    std::swap(locks_, other.locks_);
    std::swap(ranges_, other.ranges_);
    return *this;
}

PageLocks::Lock::~Lock() {
    for (const HostRange& pages : ranges_) locks_->remove(pages);
}

}  // namespace pshard
