#include "planner/tier_choice.h"

#include <algorithm>
#include <memory>

#include "ops/op_table.h"

namespace pshard {
namespace {

constexpr std::uint32_t kNotUploaded = kOffloadMinRows - 1;  // the largest batch that stock keeps

double stock_speed(const Problem& problem, const Graph& graph, const Candidate& plan) {
    if (problem.forced || !plan.prediction) return 0;
    const std::optional<Candidate> stock = stock_fit(problem, graph);
    if (!stock || !stock->prediction) return 0;
    return plan.prediction->pass_seconds / stock->prediction->pass_seconds;
}

// Where nobody has measured the machine: a tier for the batches that stock does not upload, if they
// would else run by the plan of a larger tier, which may stream. They run as in stock's own fit.
// Their graph has not come yet, so the larger tier's sizes the scratch, as it does in stock.
void add_small_batches(const Problem& problem, std::vector<TierChoice>& choices) {
    const auto larger = std::ranges::find_if(
        choices, [](const TierChoice& tier) { return tier.key.n_tokens >= kNotUploaded; });
    const bool is_needed = larger != choices.end() && larger->key.n_tokens > kNotUploaded &&
                           larger->key.is_whole_context();
    if (!is_needed || rule_of(larger->choice.strategy).is_static) return;
    const std::optional<Candidate> stock = stock_fit(problem, *larger->graph);
    if (!stock) return;
    choices.insert(larger, {{kNotUploaded}, stock->choice, as_planned(false), larger->graph});
}

}  // namespace

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

std::vector<TierChoice> plan_for_device(const Problem& asked) {
    Problem problem = asked;
    if (!problem.packed) problem.packed = std::make_shared<PackingMemo>();
    const Inventory& inventory = problem.inventory;
    const bool fits = !inventory.graphs.empty() &&
                      is_held_by_stock(inventory, inventory.graphs.back(), problem.budget);
    if (fits && !problem.forced) return all_resident_tiers(inventory);
    std::vector<TierChoice> choices;
    for (const TierPlan& tier : plan_tiers(problem)) {
        const Candidate* winner = tier.winner();
        const Graph* graph = graph_of_tier(inventory, tier.key);
        if (winner == nullptr || graph == nullptr) continue;
        choices.push_back({tier.key, winner->choice, winner->options, graph});
        choices.back().stock_speed = stock_speed(problem, *graph, *winner);
        if (tier.empty) choices.back().tokens_per_second = tier.empty->tokens_per_second;
        if (tier.full) choices.back().tokens_per_second_full = tier.full->tokens_per_second;
    }
    if (problem.profile == nullptr && !problem.forced) add_small_batches(problem, choices);
    return choices;
}

}  // namespace pshard
