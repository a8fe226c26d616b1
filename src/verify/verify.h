// The second opinion on a plan: what must hold, checked from the plain values alone. It knows no
// strategy, calls no function that makes plans, and keeps its own knowledge of ops on purpose, so
// that a fault in src/plan is not believed here too.
//
//   arena      what is resident has an address; nothing lies on anything else; all in the budget
//   cut        every node is in one stage, on one device, and its weights and states are in reach
//   scratch    interpreted node by node: each read finds the value that was written
//   fused      runs that the GPU may compute by one kernel write over nothing that they read
//   schedule   by happens-before over two passes: nothing is read before it is there, nothing is
//              overwritten while it is needed, and no lane waits for ever
//
// Each violation is one line that names both offenders. Empty: nothing is wrong.
#pragma once

#include <string>
#include <vector>

#include "plan/arena.h"
#include "plan/lowered.h"

namespace pshard {

// A tier's part of the arena of a GPU.
struct ArenaUnderTest {
    const TierArena& arena;
    Bytes budget = 0;
};

// One tier's plan. The graph is believed: its references are in range.
struct PlanUnderTest {
    const Inventory& inventory;
    const Graph& graph;
    const Lowered& lowered;
    std::vector<ArenaUnderTest> arenas;  // by GPU
    OpOffload offload = OpOffload::Never;
};

std::vector<std::string> verify(const PlanUnderTest& plan);

// Checks the arena of a GPU: each tier in itself, and that what all tiers keep has one address, in
// the common part. `placements` by ArenaLayout::tiers.
std::vector<std::string> verify_arena(const Inventory& inventory,
                                      const std::vector<Placement>& placements,
                                      const ArenaLayout& layout,
                                      int gpu = 0);

// What one tier of a variant does.
struct TierUnderTest {
    const Graph& graph;
    Lowered lowered;
    OpOffload offload = OpOffload::Never;
};

// Runs both checks on the tiers of a variant, by ArenaLayout::tiers. Each line names its tier.
// `layouts` by GPU.
std::vector<std::string> verify_variant(const Inventory& inventory,
                                        const std::vector<TierUnderTest>& tiers,
                                        const std::vector<ArenaLayout>& layouts);

// The same as one Error: the first violation, and how many more there are.
Status as_status(const std::vector<std::string>& violations);

}  // namespace pshard
