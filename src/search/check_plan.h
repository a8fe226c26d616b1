// Lets src/verify, which knows nothing of how plans are found, check what search returns.
#pragma once

#include "search/search.h"

namespace pshard {

// Checks the winners of all tiers in the arena that they share. `arena` by the tiers that have a
// winner. Fails with the first violation.
Status check_plan(const Problem& problem,
                  const std::vector<TierPlan>& tiers,
                  const ArenaLayout& arena);

// Checks every viable candidate of every tier, each in an arena of its own. Takes seconds for a
// large model.
Status check_rivals(const Problem& problem, const std::vector<TierPlan>& tiers);

}  // namespace pshard
