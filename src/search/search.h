// The fastest plan that fits, for every tier of a variant.
//
// Each tier is searched on its own bounds [A4], [A5]: no tier's result limits another's. Every
// strategy proposes, the simulator judges, and the losers keep their numbers and reasons. Pure: the
// same problem gives the same plan, byte for byte.
#pragma once

#include <vector>

#include "plan/arena.h"
#include "search/tier_search.h"

namespace pshard {

struct VariantPlan {
    Bytes budget = 0;
    std::uint32_t cache_ubatch = 0;      // tokens
    std::optional<Bytes> baseline_vram;  // if set, stock llama.cpp holds everything; no tiers then
    std::vector<TierPlan> tiers;         // in the order of their keys
    std::vector<TierPlan> dominated;     // left out: smaller batches, one by one, are faster
    ArenaLayout arena;                   // by the tiers that have a winner, in order
    std::vector<std::vector<SwitchBytes>> switches;  // [from][to], by the same
};

// Plans the tiers that are worth it (search/dominated.h). `named`: the ubatch that the user has
// named, which has a tier whatever its rate; nullopt: any may be the ubatch.
VariantPlan plan_variant(const Problem& problem, std::optional<std::uint32_t> named = std::nullopt);

// Stock llama.cpp's device use with the whole model resident, in the graph of one tier.
DeviceUse all_resident_use(const Inventory& inventory, const Graph& graph);
Bytes all_resident_bytes(const Inventory& inventory, const Graph& graph);

// Whether that fits, and the device computes all of it: stock alone is then as good as any plan.
bool is_held_by_stock(const Inventory& inventory, const Graph& graph, Bytes budget);

// The plan that llama.cpp's own --fit would make, sized and priced as stock runs it, with
// op-offload and with copies of what it loads to the device and the device cannot compute. nullopt:
// none fits.
std::optional<Candidate> stock_fit(const Problem& problem, const Graph& graph);

// Plans each tier, by the inventory's graphs.
std::vector<TierPlan> plan_tiers(const Problem& problem);

}  // namespace pshard
