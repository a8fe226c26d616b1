// Choices of the strategies that have one count: how many layers are pinned.
#pragma once

#include "strategy/rules.h"

namespace pshard {

// Proposes as many pinned layers as fit, from the front and from the back, also with a part of one
// more; and half of them, and none.
std::vector<PlanChoice> propose_pin_counts(Strategy strategy,
                                           const Inventory& inventory,
                                           const Sizing& sizing);

}  // namespace pshard
