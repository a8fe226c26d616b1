// A CPU profile in a few seconds, for a planner that has none: the same measurements as
// llama-profiler-cpu, fewer of them.
#pragma once

#include "base/result.h"
#include "base/units.h"
#include "machine/machine_profile.h"

namespace pshard {

// `limit`: of the ops; the memory bandwidth takes half a second more. Needs ggml's backends loaded.
// Fails without a CPU backend, or when no op was measured in that time.
[[nodiscard]] Result<CpuProfile> measure_stand_in_cpu(int n_threads, Seconds limit);

}  // namespace pshard
