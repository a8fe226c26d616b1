// The choices next to a choice: what a search that climbs looks at in one step.
#pragma once

#include <vector>

#include "plan/choice.h"

namespace pshard {

// One or two layers more or less, another part of one more layer; with `is_static` one layer's
// attention more or less too, alone or against a whole layer. All have sense for n_layers; none is
// asked whether it fits.
std::vector<PlanChoice> neighbours(const PlanChoice& from, bool is_static, int n_layers);

}  // namespace pshard
