#include "search/check_plan.h"

#include "base/parallel.h"
#include "strategy/expand.h"
#include "verify/verify.h"

namespace pshard {
namespace {

Lowered lowered(const Inventory& inventory, const Graph& graph, const Candidate& candidate) {
    return lower(
        {inventory, graph}, expand({inventory, graph}, candidate.choice), candidate.options);
}

Status check_alone(const Problem& problem, const Graph& graph, const Candidate& candidate) {
    const Inventory& inventory = problem.inventory;
    const TierUnderTest tier{
        graph, lowered(inventory, graph, candidate), candidate.options.offload};
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
    std::vector<const Candidate*> plans;
    for (const TierPlan& tier : tiers) {
        if (tier.winner() == nullptr) continue;
        const Graph& graph = *graph_of_tier(problem.inventory, tier.key);
        plans.push_back(tier.winner());
        winners.push_back({graph, {}, tier.winner()->options.offload});
    }
    for_each_on_two_threads(winners.size(), [&](std::size_t i) {
        winners[i].lowered = lowered(problem.inventory, winners[i].graph, *plans[i]);
    });
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
