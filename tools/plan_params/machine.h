// The machine to plan for: its profile files, and what is done without them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "machine/machine_profile.h"
#include "plan_params/options.h"

namespace pshard::tool {

struct Machine {
    std::optional<MachineProfile> profile;  // as read; nullopt: no file at all
    bool priced = false;                    // the profile can price plans; else rank by memory
    int n_threads = 1;
    std::vector<std::string> notes;

    [[nodiscard]] const MachineProfile* pricing() const { return priced ? &*profile : nullptr; }
};

// Fails on a profile that is named and not there, or that cannot be read.
Result<Machine> load_machine(const Options& options);

}  // namespace pshard::tool
