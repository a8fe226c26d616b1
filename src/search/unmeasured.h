// Plans a tier of a machine that nobody has measured.
#pragma once

#include "search/tier_search.h"

namespace pshard {

// The plan of a problem without a profile and without a forced strategy. The plan and its rivals
// have no predictions: nobody knows the machine's rates.
TierPlan plan_unmeasured_tier(const Problem& problem, const Graph& graph);

}  // namespace pshard
