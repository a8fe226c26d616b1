// The choices next to a choice: what a search that climbs looks at in one step.
#pragma once

#include <vector>

#include "plan/choice.h"

namespace pshard {

// Choices with one or two layers more or less, or with another part of one more layer; with
// `is_static` also with one layer's attention more or less, alone or in exchange for a whole layer.
// All make sense for n_layers; whether they fit is not asked.
std::vector<PlanChoice> neighbours(const PlanChoice& from, bool is_static, int n_layers);

}  // namespace pshard
