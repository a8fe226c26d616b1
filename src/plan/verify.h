// The second opinion on a plan: what must hold, checked from the plain values alone. Knows no
// strategy and calls no function that makes plans.
//
//   arena      what is resident has an address; nothing lies on anything else; all in the budget
//   cut        every node is in one stage, on one device, and its weights and states are in reach
//   scratch    interpreted node by node: each read finds the value that was written
//   fused      runs that the GPU may compute by one kernel write over nothing that they read
//   schedule   by happens-before over two passes: nothing is read before it is there, nothing is
//              overwritten while it is needed, and no lane waits for ever
//
// Each violation is one line that names both offenders. Empty: nothing wrong.
#pragma once

#include <string>
#include <vector>

#include "plan/arena.h"
#include "plan/schedule.h"

namespace pshard {

// One tier's plan. The graph is taken as right: its references are in range.
struct PlanUnderTest {
    const Inventory& inventory;
    const Graph& graph;
    const Placement& placement;
    const StageCut& cut;
    const Schedule& schedule;
    const ScratchLayout& scratch;
    const TierArena& arena;
    Bytes budget = 0;
    OpOffload offload = OpOffload::Never;
};

std::vector<std::string> verify(const PlanUnderTest& plan);

// All tiers together: each in itself, and what all keep resident at one address, in the common
// part. `placements` by ArenaLayout::tiers.
std::vector<std::string> verify_arena(const Inventory& inventory,
                                      const std::vector<Placement>& placements,
                                      const ArenaLayout& layout);

}  // namespace pshard
