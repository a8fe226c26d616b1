// How fast all threads together read memory that lies in no cache.
#pragma once

#include "base/units.h"

namespace pshard {

struct DramProbeOptions {
    int n_threads = 1;
    Bytes bytes = kGiB;     // for all threads together
    Seconds seconds = 0.8;  // at least five passes all the same
};

// GB/s (1e9): the best of the passes, since whatever else runs can only slow one down.
[[nodiscard]] double measure_dram_gb_per_s(const DramProbeOptions& options);

}  // namespace pshard
