// Turns the few words of a PlanChoice into a lane for every tensor.
#pragma once

#include <string>
#include <vector>

#include "plan/choice.h"
#include "plan/placement.h"

namespace pshard {

Placement expand(const Inventory& inventory, const PlanChoice& choice);

// The same plan as the ordered patterns of a registry's `ot=` line: the first pattern that is found
// in a weight's name decides. Both follow from the strategy's LayerSplit; a test shows that they
// agree [A23].
struct LanePattern {
    std::string pattern;  // ECMAScript regex without commas and '='
    Lane lane = Lane::Gpu;

    bool operator==(const LanePattern&) const = default;
};

std::vector<LanePattern> lane_patterns(const Inventory& inventory, const PlanChoice& choice);

}  // namespace pshard
