// Makes a CPU profile in a few seconds, for a planner that has none, by some of the measurements of
// llama-profiler-cpu.
#pragma once

#include "base/result.h"
#include "base/units.h"
#include "machine/machine_profile.h"

namespace pshard {

// `limit` is the time for the ops; the memory bandwidth takes half a second more. ggml's backends
// must be loaded. Fails without a CPU backend, or if no op was measured in that time.
[[nodiscard]] Result<CpuProfile> measure_stand_in_cpu(int n_threads, Seconds limit);

}  // namespace pshard
