// What only a helper process can show: device memory that a run takes outside our allocations, and
// launches without graph capture.
#pragma once

#include <functional>
#include <string>

#include "machine/machine_profile.h"
#include "probe/devices.h"

namespace pshard::tool {

struct HelperOptions {
    std::function<bool()> ends;  // asked before each step; once true, the rest is absent
    std::function<void(const std::string&)> note;  // why something is absent
};

// Measures gpu.overhead by ubatch, and gpu.overhead_mib: how much the device's free memory shrinks
// once a helper has computed a run and freed all of its own. gpu.overhead_unseen_mib is the part
// that the helper itself cannot see. Other processes should be quiet on the device. The figures are
// absent where the device does not tell what is in use.
void measure_overhead(ggml_backend_dev_t device, const HelperOptions& options, GpuProfile& gpu);

// Measures gpu.launch_uncaptured_us and gpu.subgraph_uncaptured_us on CUDA and what is built from
// it (HIP, MUSA); they are absent elsewhere.
void measure_uncaptured(ggml_backend_dev_t device, const HelperOptions& options, GpuProfile& gpu);

}  // namespace pshard::tool
