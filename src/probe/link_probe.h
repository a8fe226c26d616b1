// Measures the link between host and device: every figure of LinkProfile but the rate while the CPU
// computes, which needs the CPU's ops (profile_ops with a CopyLoad).
//
// Figures of what the device does not have (pinned memory, page-locking in place, events) stay
// absent, and a note says so.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "machine/machine_profile.h"
#include "probe/devices.h"
#include "probe/sampler.h"

namespace pshard {

struct LinkProbeOptions {
    bool full = false;              // more sizes, and the ceiling of page-locking
    Bytes host_bytes = 256 * kMiB;  // to copy from, more than caches hold; less if memory is short
    Seconds kernel_launch = 0;      // per kernel; a hand-over has one, which is taken off
    SamplePolicy policy{3, 20, 0.06, 0.10};
    std::function<void(const std::string& what, double done_share)> on_progress{};
    std::function<bool()> wants_stop{};  // asked before each step; true leaves the rest absent
};

struct LinkProbe {
    LinkProfile link{};
    std::vector<std::string> notes{};  // for the user to read, a sentence each
};

// Fails if the device does not open, or if memory is too short for any copy.
[[nodiscard]] Result<LinkProbe> probe_link(ggml_backend_dev_t device,
                                           const LinkProbeOptions& options);

}  // namespace pshard
