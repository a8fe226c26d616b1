// The units of the project. A quantity carries its unit in its type (Bytes, Seconds) or in its name
// (`..._per_second`). Intervals are half-open: [begin, end).
#pragma once

#include <cstdint>

namespace pshard {

using Bytes = std::uint64_t;
using Seconds = double;

inline constexpr Bytes kKiB = 1024;
inline constexpr Bytes kMiB = 1024 * kKiB;
inline constexpr Bytes kGiB = 1024 * kMiB;

// Rounds up to a multiple of `alignment` (a power of two).
constexpr Bytes align_up(Bytes bytes, Bytes alignment) {
    return (bytes + alignment - 1) & ~(alignment - 1);
}

constexpr double in_mib(Bytes bytes) { return static_cast<double>(bytes) / double(kMiB); }

}  // namespace pshard
