// The same model on machines that are not there.
//
// Two steps, since loading a machine may measure it in a child process, and no child may be forked
// beside the thread that shows how far the planning is.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "explain/explanation.h"
#include "explain/options.h"
#include "planning/machine.h"

namespace pshard::tool {

struct Change {
    std::string name;
    std::string remark;
    Bytes budget = 0;
    std::optional<MachineProfile> profile;  // nullopt: it cannot be planned; the remark tells why
};

// Loads what everybody asks for (1 GiB more VRAM, a link twice as fast, more threads), then what
// the options ask for. Fails on a profile that cannot be read. Empty without a profile that prices
// plans.
Result<std::vector<Change>> load_changes(const ExplainOptions& options,
                                         const Machine& machine,
                                         const Planning& planning);

Scenario planned_change(const Change& change, const Planning& planning);

}  // namespace pshard::tool
