#include "runtime/page_locks.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <utility>

namespace pshard {
namespace {

// Less is not worth a lock of its own.
constexpr Bytes kLeastLock = 64 * kKiB;

HostRange whole_pages(const HostRange& range, Bytes page) {
    const auto begin = reinterpret_cast<std::uintptr_t>(range.data);
    const std::uintptr_t first = begin / page * page;
    const std::uintptr_t end = (begin + range.bytes + page - 1) / page * page;
    return {range.data - (begin - first), end - first};
}

}  // namespace

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

PageLocks::PageLocks(ggml_backend_dev_t device) {
    ggml_backend_reg_t backend = ggml_backend_dev_backend_reg(device);
    lock_ = reinterpret_cast<Lock>(
        ggml_backend_reg_get_proc_address(backend, "ggml_backend_register_host_buffer"));
    unlock_ = reinterpret_cast<Unlock>(
        ggml_backend_reg_get_proc_address(backend, "ggml_backend_unregister_host_buffer"));
}

PageLocks::~PageLocks() { release(); }

Bytes PageLocks::lock(std::vector<HostRange> ranges, Bytes limit) {
    if (lock_ == nullptr || unlock_ == nullptr) return 0;
    const auto page = static_cast<Bytes>(sysconf(_SC_PAGESIZE));
    Bytes locked = 0;
    for (const HostRange& pages : pages_of(std::move(ranges), page)) {
        if (pages.bytes < kLeastLock || locked + pages.bytes > limit) continue;
        if (!lock_(const_cast<std::byte*>(pages.data), pages.bytes)) continue;
        locked_.push_back(pages);
        locked += pages.bytes;
    }
    return locked;
}

void PageLocks::release() {
    for (const HostRange& pages : locked_) unlock_(const_cast<std::byte*>(pages.data));
    locked_.clear();
}

}  // namespace pshard
