// Finds the profiles of this machine, or measures them once.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "machine/machine_profile.h"
#include "run/options.h"
#include "run/program.h"
#include "run/surroundings.h"

namespace pshard::tool {

struct Profiles {
    std::string cpu;  // file names; empty: there is none, and a machine is assumed
    std::string gpu;
    std::vector<std::string> notes;  // what the user should know, one sentence each
};

// Finds the profiles that the user names; else those in this folder, else in the cache, if they are
// of this machine. What is not found is measured into the cache, with a progress bar: one minute
// for each. A dry run measures nothing. Without a GPU there is nothing to measure. Fails when a
// profiler does.
Result<Profiles> find_profiles(const RunOptions& options,
                               const Surroundings& here,
                               const HostProgram& program);

// Reads the profiles as the planner does. nullopt: it would assume a machine.
Result<std::optional<MachineProfile>> read_profiles(const Profiles& profiles, int n_threads);

// The number of threads that the planner would take: the user's, else that of the CPU profile, else
// the number of cores.
Result<int> threads_of(const RunOptions& options, const Profiles& profiles);

}  // namespace pshard::tool
