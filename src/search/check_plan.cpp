#include "search/check_plan.h"

#include "strategy/expand.h"
#include "verify/verify.h"

namespace pshard {
namespace {

TierUnderTest lowered(const Inventory& inventory, const Graph& graph, const Candidate& candidate) {
    const StageOptions& options = candidate.options;
    return {graph,
            lower({inventory, graph}, expand(inventory, candidate.choice), options),
            options.offload};
}

Status check_alone(const Problem& problem, const Graph& graph, const Candidate& candidate) {
    const Inventory& inventory = problem.inventory;
    const TierUnderTest tier = lowered(inventory, graph, candidate);
    const TierDemand demand{
        tier.lowered.placement, tier.lowered.slots[0], tier.lowered.scratch.gpus[0].peak};
    const Bytes budget = arena_bytes(inventory, demand);
    const Result<ArenaLayout> arena = pack_arena(inventory, {demand}, budget);
    if (!arena) return arena.error();
    return as_status(verify_variant(inventory, {tier}, {arena.value()}));
}

}  // namespace

Status check_plan(const Problem& problem,
                  const std::vector<TierPlan>& tiers,
                  const ArenaLayout& arena) {
    std::vector<TierUnderTest> winners;
    for (const TierPlan& tier : tiers) {
        if (tier.winner() == nullptr) continue;
        const Graph& graph = *graph_of_tier(problem.inventory, tier.key);
        winners.push_back(lowered(problem.inventory, graph, *tier.winner()));
    }
    return as_status(verify_variant(problem.inventory, winners, {arena}));
}

Status check_rivals(const Problem& problem, const std::vector<TierPlan>& tiers) {
    for (const TierPlan& tier : tiers) {
        const Graph& graph = *graph_of_tier(problem.inventory, tier.key);
        for (const Candidate& candidate : tier.viable) {
            if (Status status = check_alone(problem, graph, candidate); !status) return status;
        }
    }
    return Done{};
}

}  // namespace pshard
