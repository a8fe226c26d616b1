#include "base/host_pages.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

namespace pshard {
namespace {

std::uintptr_t address(const std::byte* data) { return reinterpret_cast<std::uintptr_t>(data); }

// A line of /proc/self/maps: "7f00-7f10 r--s 00000000 fd:01 1234 /models/a.gguf".
struct MapLine {
    HostRange range;
    bool is_shared_file = false;
};

MapLine parse(const std::string& line) {
    unsigned long begin = 0;
    unsigned long end = 0;
    unsigned long inode = 0;
    char rights[5] = "";
    const int n = std::sscanf(  // NOLINT(cert-err34-c): the kernel writes these lines
        line.c_str(),
        "%lx-%lx %4s %*x %*x:%*x %lu",
        &begin,
        &end,
        rights,
        &inode);
    if (n != 4) return {};
    // NOLINTNEXTLINE(performance-no-int-to-ptr): an address that the kernel tells
    return {{reinterpret_cast<const std::byte*>(begin), end - begin},
            rights[3] == 's' && inode != 0};
}

}  // namespace

Bytes page_bytes() { return static_cast<Bytes>(sysconf(_SC_PAGESIZE)); }

HostRange pages_around(const HostRange& range, Bytes page) {
    const Bytes before = address(range.data) % page;
    const Bytes bytes = (before + range.bytes + page - 1) / page * page;
    return {range.data - before, bytes};
}

HostRange pages_inside(const HostRange& range, Bytes page) {
    const Bytes before = (page - address(range.data) % page) % page;
    if (before >= range.bytes) return {};
    return {range.data + before, (range.bytes - before) / page * page};
}

FileMappings FileMappings::read() {
    FileMappings mappings;
    std::ifstream lines("/proc/self/maps");
    for (std::string line; std::getline(lines, line);) {
        const MapLine map = parse(line);
        if (!map.is_shared_file) continue;
        const bool joins =
            !mappings.ranges_.empty() && mappings.ranges_.back().end() == map.range.data;
        if (joins) {
            mappings.ranges_.back().bytes += map.range.bytes;
        } else {
            mappings.ranges_.push_back(map.range);
        }
    }
    return mappings;
}

bool FileMappings::hold(const HostRange& range) const {
    const auto next = std::upper_bound(
        ranges_.begin(), ranges_.end(), range.data, [](const std::byte* at, const HostRange& one) {
            return at < one.data;
        });
    return next != ranges_.begin() && range.end() <= std::prev(next)->end();
}

void fetch_pages(const HostRange& range) {
    const HostRange pages = pages_around(range, page_bytes());
    madvise(const_cast<std::byte*>(pages.data), pages.bytes, MADV_POPULATE_READ);
}

void give_back_pages(const HostRange& range) {
    const HostRange pages = pages_inside(range, page_bytes());
    if (pages.bytes == 0) return;
    auto* data = const_cast<std::byte*>(pages.data);
    munlock(data, pages.bytes);
    madvise(data, pages.bytes, MADV_COLD);
    madvise(data, pages.bytes, MADV_DONTNEED);
}

}  // namespace pshard
