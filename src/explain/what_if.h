// A machine that is not there: this one with another GPU, link, budget or number of threads.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "machine/machine_profile.h"

namespace pshard {

struct WhatIf {
    std::string text;         // as given: "link=32GB/s,vram=16000"
    std::string gpu_profile;  // a file; empty: unchanged
    std::string cpu_profile;
    std::optional<double> link_gb_per_s;    // host to device, page-locked, alone
    std::optional<std::uint64_t> vram_mib;  // the budget
    std::optional<int> n_threads;

    bool operator==(const WhatIf&) const = default;
};

// "gpu=FILE,cpu=FILE,link=32GB/s,vram=16000,threads=8" in any order; "16000MiB" and "16GiB" are
// read too. Fails, naming the part, on what is none of these.
Result<WhatIf> what_if_from_text(const std::string& text);

// The profile with a link of that rate. Every page-locked rate scales with it. The host bounds
// copies of pageable memory, and copies that a busy CPU held up: those rates fall, but never rise.
MachineProfile with_link(MachineProfile profile, double gb_per_s);

// The rate of page-locked copies to the device, else of pageable ones; nullopt: unknown.
std::optional<double> link_gb_per_s(const MachineProfile& profile);

}  // namespace pshard
