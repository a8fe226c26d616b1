// The machine to plan for: its profile files, and what is done without them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "machine/machine_profile.h"
#include "machine/profile_text.h"
#include "memory/memory_use.h"
#include "plan_flags/options.h"
#include "planning/host_memory.h"

namespace pshard::tool {

struct Machine {
    std::optional<MachineProfile> profile;  // as read; nullopt: no file at all
    bool priced = false;         // the profile can price plans; else a machine is assumed
    ProfileNames files{"", ""};  // where the profile is from; empty: no such file
    int n_threads = 1;
    HostMemory host;
    std::vector<std::string> notes;

    [[nodiscard]] const MachineProfile* pricing() const { return priced ? &*profile : nullptr; }
};

// What the host offers: its memory, and the profile's ceiling of page-locked memory.
HostLimits host_limits(const Machine& machine);

// Who plans may do so for another machine, whose profiles lie in the working directory.
enum class PlannedFor { AnyMachine, ThisMachine };

// Finds the profiles (machine/profile_search.h) and reads them. Fails on a profile that is named
// and not there, or that cannot be read.
Result<Machine> load_machine(const Options& options, PlannedFor wanted = PlannedFor::AnyMachine);

}  // namespace pshard::tool
