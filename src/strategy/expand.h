// Turns the few words of a PlanChoice into a lane for every tensor.
#pragma once

#include <string>
#include <vector>

#include "plan/choice.h"
#include "plan/idle_weights.h"
#include "plan/lowered.h"

namespace pshard {

// As the choice says, but for the weights and states that are idle: they stay with the CPU. PSHARD0
// runs a tier with what is idle in its graph; stock llama.cpp, without flags that say otherwise,
// loads as if nothing were (kAllUsed), and has no flag for the cache of one layer.
Placement expand(const Inventory& inventory, const PlanChoice& choice, const Idle& idle);
Placement expand(const GraphView& view, const PlanChoice& choice);

inline const Idle kAllUsed;

// The same plan as the ordered patterns of a registry's `ot=` line: the first pattern that is found
// in a weight's name decides. Both follow from the strategy's LayerSplit; a test shows that they
// agree [A23]. A weight that stays with the CPU against the lane of its layer has a pattern of its
// own, before all others.
struct LanePattern {
    std::string pattern;  // ECMAScript regex without commas and '='
    Lane lane = Lane::Gpu;

    bool operator==(const LanePattern&) const = default;
};

std::vector<LanePattern> lane_patterns(const Inventory& inventory,
                                       const PlanChoice& choice,
                                       const std::vector<bool>& idle);

}  // namespace pshard
