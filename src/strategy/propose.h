// Which choices of a strategy are worth a simulation, at one tier and budget.
//
// Strategies size by memory and never by time: they ask how many bytes a choice takes, and propose
// those that use the budget well. The simulator judges.
//
//   few layers (kExhaustiveLayers)   every choice that fits
//   many                             the largest that fit, and a ladder of smaller ones
#pragma once

#include <functional>
#include <vector>

#include "inventory/inventory.h"
#include "plan/choice.h"

namespace pshard {

inline constexpr int kExhaustiveLayers = 12;

// What a strategy may ask of the planner.
struct Sizing {
    std::function<Bytes(const PlanChoice&)> bytes;  // on the device
    Bytes budget = 0;

    bool fits(const PlanChoice& choice) const { return bytes(choice) <= budget; }
};

// Choices that fit, without repetition; empty if the strategy cannot fit at all.
std::vector<PlanChoice> propose(Strategy strategy,
                                const Inventory& inventory,
                                const Sizing& sizing);

// What llama.cpp's --fit comes to when `sizing` answers for stock's memory (common/fit.cpp,
// v0.5.0): dense models whole layers from the back; MoE models all dense parts first, then whole
// layers from the front, then a part of one more. Empty if nothing fits.
std::vector<PlanChoice> propose_stock_fit(const Inventory& inventory, const Sizing& sizing);

}  // namespace pshard
