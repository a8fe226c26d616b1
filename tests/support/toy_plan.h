// All that the plan functions make of one placement, ready to be verified or damaged.
#pragma once

#include <string>
#include <vector>

#include "verify/verify.h"

namespace pshard {

struct ToyPlan {
    Inventory inventory;
    Graph graph;
    StageOptions options;
    Lowered lowered;
    TierArena arena;
    Bytes budget = 0;  // not a byte more than the plan needs

    std::vector<std::string> violations() const;
};

// Fails where lower() makes no schedule: such a placement cannot be streamed.
Result<ToyPlan> make_toy_plan(const Inventory& inventory,
                              const Graph& graph,
                              const Placement& placement,
                              const StageOptions& options);

// The same for the inventory's graph of the index; it must not fail.
ToyPlan toy_plan(const Inventory& inventory,
                 const Placement& placement,
                 const StageOptions& options = {},
                 std::size_t graph = 0);

}  // namespace pshard
