#include "fakecuda/host_locks.h"

#include <cerrno>
#include <iterator>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

namespace pshard::fakecuda {

Error HostLocks::add(const void* data, Lock lock) {
    const auto begin = reinterpret_cast<std::uintptr_t>(data);
    const auto after = locks_.upper_bound(begin);
    if (after != locks_.end() && after->first < begin + lock.bytes) return kAlreadyRegistered;
    if (after != locks_.begin()) {
        const auto& [other, held] = *std::prev(after);
        if (begin < other + held.bytes) return kAlreadyRegistered;
    }
    if (lock.bytes > lockable_bytes_ - locked_bytes_) return kOutOfMemory;
    locked_bytes_ += lock.bytes;
    locks_[begin] = lock;
    return kSuccess;
}

HostLocks::Lock HostLocks::remove(const void* data) {
    const auto found = locks_.find(reinterpret_cast<std::uintptr_t>(data));
    if (found == locks_.end()) return {};
    const Lock lock = found->second;
    locked_bytes_ -= lock.bytes;
    locks_.erase(found);
    return lock;
}

HostSide HostLocks::side_of(const void* data, std::size_t bytes) const {
    const auto begin = reinterpret_cast<std::uintptr_t>(data);
    const auto after = locks_.upper_bound(begin);
    if (after != locks_.begin()) {
        const auto& [other, lock] = *std::prev(after);
        if (begin + bytes <= other + lock.bytes) {
            if (lock.registered && !is_mapped(data, bytes)) return HostSide::Unmapped;
            return lock.read_only ? HostSide::ReadOnly : HostSide::Locked;
        }
        if (begin < other + lock.bytes) return HostSide::Straddling;
    }
    const bool meets = after != locks_.end() && after->first < begin + bytes;
    return meets ? HostSide::Straddling : HostSide::Pageable;
}

bool HostLocks::is_mapped(const void* data, std::size_t bytes) {
    const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
    const std::uintptr_t begin = reinterpret_cast<std::uintptr_t>(data) / page * page;
    const std::uintptr_t end = reinterpret_cast<std::uintptr_t>(data) + bytes;
    std::vector<unsigned char> resident((end - begin + page - 1) / page);
    return mincore(reinterpret_cast<void*>(begin), end - begin, resident.data()) == 0;
}

}  // namespace pshard::fakecuda
