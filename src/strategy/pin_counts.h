// Choices of the strategies that have one count: how many layers are pinned.
#pragma once

#include "strategy/rules.h"

namespace pshard {

// As many pinned layers as fit, from the front and from the back, and a part of one more; and half
// and none of them.
std::vector<PlanChoice> propose_pin_counts(Strategy strategy,
                                           const Inventory& inventory,
                                           const Sizing& sizing);

}  // namespace pshard
