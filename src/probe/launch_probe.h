// What it costs to start work on a device: per node in a full queue, and per graph.
//
//   node   (t(1024 nodes in one graph) - t(64 in one)) / 960
//   graph  (t(1024 in 64 graphs) - t(1024 in one)) / 63
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
