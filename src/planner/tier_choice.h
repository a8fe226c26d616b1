// Plans a model that is there already, for the device that runs it: a choice for each tier, with
// the graph that sizes it. The other half of the planner, make_plan() (planner/planning.h), plans
// for people before a run.
#pragma once

#include <optional>
#include <vector>

#include "search/search.h"

namespace pshard {

// A plan of one tier in words, with the graph that sizes its scratch.
struct TierChoice {
    TierKey key;
    PlanChoice choice;
    StageOptions options;
    const Graph* graph = nullptr;
    std::optional<Bytes> scratch{};     // what the planner has found that the tier needs
    double tokens_per_second = 0;       // expected of such a batch with an empty cache; 0: unknown
    double tokens_per_second_full = 0;  // with a full one; 0: unknown
    double stock_speed =
        0;  // of stock llama.cpp's own fit, as a multiple of the plan's; 0: unknown
};

// The same choice for each graph of the inventory; all_resident_tiers(): everything in VRAM.
std::vector<TierChoice> same_in_all_tiers(const Inventory& inventory, const PlanChoice& choice);
std::vector<TierChoice> all_resident_tiers(const Inventory& inventory);

// Searches a plan: everything resident if that fits and no strategy is forced, else the winner of
// each tier. Tiers without a winner are left out; empty: nothing fits. Without a profile a tier of
// 31 tokens is added, for batches that stock llama.cpp would not upload, unless a tier is as good.
// The choices refer into the problem's inventory.
std::vector<TierChoice> plan_for_device(const Problem& asked);

}  // namespace pshard
