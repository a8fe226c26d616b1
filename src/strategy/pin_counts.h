// Choices of the strategies that have one count: how many layers are pinned.
#pragma once

#include "strategy/rules.h"

namespace pshard {

// As many pinned layers as fit and a part of one more, and a ladder of fewer.
std::vector<PlanChoice> propose_pin_counts(Strategy strategy,
                                           const Inventory& inventory,
                                           const Sizing& sizing);

}  // namespace pshard
