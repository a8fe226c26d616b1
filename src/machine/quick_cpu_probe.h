// A rough look at the CPU, for users who have no profile file: under two seconds, no GPU.
//
// Measures  DRAM read bandwidth (all threads over a buffer larger than the caches) and the f32
//           rate of plain loops. The rows are derived from these two, on the low side, and the
//           profile says Provenance::Quick.
// Doubt:    +-30 %. The profilers (llama-profiler-cpu) replace it.
// Clock:    this is the only place of machine/ and cost/ that reads one.
#pragma once

#include "base/units.h"
#include "machine/machine_profile.h"

namespace pshard {

struct QuickProbeOptions {
    int n_threads = 1;                // as llama.cpp's -t
    Bytes buffer_bytes = 256 * kMiB;  // larger than the last-level cache
    Seconds seconds = 1.0;            // for each half; the probe stops at the first of
                                      // 8 passes or half of this
};

// What the probe measures.
struct QuickRates {
    double dram_gb_per_s = 0;
    double f32_gflops = 0;  // all threads
};

[[nodiscard]] QuickRates measure_quick_rates(const QuickProbeOptions& options);

// Pure: the profile that follows from the two rates.
[[nodiscard]] MachineProfile quick_profile(const QuickRates& rates, int n_threads);

// measure_quick_rates, then quick_profile.
[[nodiscard]] MachineProfile quick_cpu_probe(const QuickProbeOptions& options);

}  // namespace pshard
