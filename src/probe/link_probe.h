// Measures the link between host and device: every figure of LinkProfile but the rate while the CPU
// computes, which needs the CPU's ops (profile_ops with a CopyLoad).
//
// What the device does not have (pinned memory, page-locking in place, events) stays absent, and a
// note says so.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "machine/machine_profile.h"
#include "probe/devices.h"
#include "probe/sampler.h"

namespace pshard {

struct LinkProbeOptions {
    bool full = false;              // more sizes, calmer medians, and the ceiling of page-locking
    Bytes host_bytes = 256 * kMiB;  // copied from: beyond the caches; less where memory is short
    Seconds kernel_launch = 0;      // per kernel: what a hand-over holds besides
    SamplePolicy policy{3, 20, 0.06, 0.10};
    std::function<void(const std::string& what, double done_share)> on_progress{};
    std::function<bool()> wants_stop{};  // asked between the measurements; the rest stays absent
};

struct LinkProbe {
    LinkProfile link{};
    std::vector<std::string> notes{};  // for the user's eyes, a sentence each
};

// Fails when the device does not open, or memory is too short for copies at all.
[[nodiscard]] Result<LinkProbe> probe_link(ggml_backend_dev_t device,
                                           const LinkProbeOptions& options);

}  // namespace pshard
