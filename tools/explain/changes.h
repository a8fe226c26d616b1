// Plans the same model on machines that are not there.
#pragma once

#include <vector>

#include "base/result.h"
#include "explain/explanation.h"
#include "explain/options.h"
#include "planning/machine.h"

namespace pshard::tool {

// How many scenarios planned_changes() returns.
std::size_t count_changes(const ExplainOptions& options, const Machine& machine);

// Plans what everybody asks for (1 GiB more VRAM, a link twice as fast, more threads), then what
// the options ask for. Fails on a profile that cannot be read. Empty without a profile that prices
// plans.
Result<std::vector<Scenario>> planned_changes(const ExplainOptions& options,
                                              const Machine& machine,
                                              const Planning& planning);

}  // namespace pshard::tool
