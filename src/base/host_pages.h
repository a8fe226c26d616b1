// Pages of host memory: which belong to a range, whether a file stands behind them, and what the
// system is told of them.
#pragma once

#include <cstddef>
#include <vector>

#include "base/units.h"

namespace pshard {

struct HostRange {
    const std::byte* data = nullptr;
    Bytes bytes = 0;

    [[nodiscard]] const std::byte* end() const { return data + bytes; }

    bool operator==(const HostRange&) const = default;
};

[[nodiscard]] Bytes page_bytes();

// The whole pages, of `page` bytes each, that hold the range; and those that lie inside it, which
// may be none.
[[nodiscard]] HostRange pages_around(const HostRange& range, Bytes page);
[[nodiscard]] HostRange pages_inside(const HostRange& range, Bytes page);

// The addresses that were shared mappings of files when this was made: what is written there is
// the file's, and a page that is given back comes again from it.
class FileMappings {
public:
    // None where the system does not tell (/proc/self/maps).
    static FileMappings read();

    [[nodiscard]] bool hold(const HostRange& range) const;

private:
    std::vector<HostRange> ranges_;  // ascending, neighbours joined
};

// Reads pages from the disk. Where the system cannot (before Linux 5.14), whoever touches them
// does.
void fetch_pages(const HostRange& range);

// Gives back the whole pages inside the range. Those of a file come again when they are touched,
// and the system takes them from its cache first if it needs memory; others read as zeroes then.
// Pages that were locked in memory (mlock) are unlocked.
void give_back_pages(const HostRange& range);

}  // namespace pshard
