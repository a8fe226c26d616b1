// Whether a context is of a size that there is memory for.
#pragma once

#include <optional>

#include "base/result.h"
#include "plan_flags/options.h"
#include "planning/budget.h"
#include "planning/jobs.h"
#include "planning/machine.h"

namespace pshard::tool {

// Declines a context that neither the budget nor the host could ever hold, before anything is
// allocated for it. Asks the model only about contexts of more than a million tokens.
Result<std::optional<Refusal>> check_context(const Options& options,
                                             const Machine& machine,
                                             const Job& job);

}  // namespace pshard::tool
