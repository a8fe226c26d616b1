// How much host memory plans may take, and what helps where that is too little.
#pragma once

#include <optional>
#include <string>

#include "base/units.h"
#include "machine/machine_profile.h"
#include "plan_flags/options.h"
#include "planner/planning.h"

namespace pshard::tool {

struct HostMemory {
    std::optional<Bytes> bytes{};  // nullopt: nobody tells
    std::string text;              // "21311 are available here"
    std::string note;              // what the user should know of it; empty: nothing
};

// --host-memory; else what is available here; of another machine, by its profile, what it has.
HostMemory host_memory(const Options& options, const std::optional<MachineProfile>& profile);

// Why a plan that needs so much cannot be, and what would help, as one sentence. `problem`: with
// the limit of host memory.
std::string host_refusal(const Problem& problem, const HostUse& use, const HostMemory& host);

// The sentence, if the planning has no plan and the host's memory is why.
std::optional<std::string> host_refusal(const Planning& planning, const HostMemory& host);

// Tells if some tiers have no plan, and the host's memory is why.
std::optional<std::string> host_note(const Planning& planning, const HostMemory& host);

}  // namespace pshard::tool
