// What it costs to start work on a device: for each node in a full queue, and for each graph.
//
//   node   (t(1024 nodes in one graph) - t(64 nodes in one graph)) / 960
//   graph  (t(1024 nodes in 64 graphs) - t(1024 nodes in one graph)) / 63
//
// On a CPU, one thread alone computes such a chain of nodes: a node takes 0.04 us, while a node
// that all threads work on, and meet after, takes 0.29 us. Profiles take launch_us from the latter
// kind (op_bench.h, launch_case), on GPUs too. `node` is for figures that no op gives: hand-overs,
// and launches without capture.
#pragma once

#include <optional>

#include "probe/devices.h"
#include "probe/sampler.h"

namespace pshard {

struct LaunchCosts {
    Seconds node = 0;
    std::optional<Seconds> graph{};  // absent if many graphs take no longer than one

    bool operator==(const LaunchCosts&) const = default;
};

// Only the CPU heeds `n_threads`. Fails if the device does not open, or stops working.
[[nodiscard]] Result<LaunchCosts> measure_launches(ggml_backend_dev_t device,
                                                   int n_threads,
                                                   const SamplePolicy& policy);

}  // namespace pshard
