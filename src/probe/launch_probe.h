// What it costs to start work on a device: per node in a full queue, and per graph.
//
//   node   (t(1024 nodes in one graph) - t(64 in one)) / 960
//   graph  (t(1024 in 64 graphs) - t(1024 in one)) / 63
//
// The nodes are a chain that one thread of a CPU walks alone: 0.04 us each where a node that all
// threads work on, and meet after, takes 0.29. Profiles take launch_us from the latter
// (op_bench.h, launch_case), on GPUs too; `node` is for what is not timed by ops: hand-overs, and
// launches without capture.
#pragma once

#include <optional>

#include "probe/devices.h"
#include "probe/sampler.h"

namespace pshard {

struct LaunchCosts {
    Seconds node = 0;
    std::optional<Seconds> graph{};  // absent where many graphs take no longer than one

    bool operator==(const LaunchCosts&) const = default;
};

// `n_threads` counts for the CPU only. Fails when the device does not open, or stops working.
[[nodiscard]] Result<LaunchCosts> measure_launches(ggml_backend_dev_t device,
                                                   int n_threads,
                                                   const SamplePolicy& policy);

}  // namespace pshard
