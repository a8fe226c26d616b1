// How fast all threads together read memory that no cache holds.
#pragma once

#include "base/result.h"
#include "base/units.h"

namespace pshard {

struct DramProbeOptions {
    int n_threads = 1;
    Bytes bytes = kGiB;     // that all threads together read in a pass
    Seconds seconds = 0.8;  // for all passes; at least five are made
};

// The GB/s (1e9) of the best pass, since other programs can only slow a pass down. Fails where the
// system gives neither so many threads nor so much memory.
[[nodiscard]] Result<double> measure_dram_gb_per_s(const DramProbeOptions& options);

}  // namespace pshard
