#include "planner/tier_choice.h"

namespace pshard {

std::vector<TierChoice> same_in_all_tiers(const Inventory& inventory, const PlanChoice& choice) {
    std::vector<TierChoice> choices;
    for (const Graph& graph : inventory.graphs) {
        choices.push_back({graph.tier(), choice, {}, &graph});
    }
    return choices;
}

std::vector<TierChoice> all_resident_tiers(const Inventory& inventory) {
    return same_in_all_tiers(
        inventory, everything_resident(inventory.n_layers, Strategy::GpuOnlyLayerPinLayerStream));
}

std::vector<TierChoice> plan_for_device(const Problem& problem) {
    const Inventory& inventory = problem.inventory;
    const bool fits = !inventory.graphs.empty() &&
                      all_resident_bytes(inventory, inventory.graphs.back()) <= problem.budget;
    if (fits && !problem.forced) return all_resident_tiers(inventory);
    std::vector<TierChoice> choices;
    for (const TierPlan& tier : plan_tiers(problem)) {
        const Candidate* winner = tier.winner();
        const Graph* graph = graph_of_tier(inventory, tier.key);
        if (winner == nullptr || graph == nullptr) continue;
        choices.push_back({tier.key, winner->choice, winner->options, graph});
        if (tier.empty) choices.back().tokens_per_second = tier.empty->tokens_per_second;
    }
    return choices;
}

}  // namespace pshard
