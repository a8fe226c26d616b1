#include "support/toy_plan.h"

namespace pshard {

std::vector<std::string> ToyPlan::violations() const {
    return verify({inventory, graph, lowered, {{arena, budget}}, options.offload});
}

Result<ToyPlan> make_toy_plan(const Inventory& inventory,
                              const Graph& graph,
                              const Placement& placement,
                              const StageOptions& options) {
    ToyPlan plan{inventory, graph, options, lower({inventory, graph}, placement, options), {}, 0};
    if (!plan.lowered.streamable) return plan.lowered.streamable.error();
    const TierDemand demand{
        placement,
        plan.lowered.slots[0],
        align_up(plan.lowered.scratch.gpus[0].peak, inventory.device.alignment)};
    plan.budget = arena_bytes(inventory, demand);
    const Result<ArenaLayout> arena = pack_arena(inventory, {demand}, plan.budget);
    if (!arena) return arena.error();
    plan.arena = arena.value().tiers[0];
    return plan;
}

ToyPlan toy_plan(const Inventory& inventory,
                 const Placement& placement,
                 const StageOptions& options,
                 std::size_t graph) {
    Result<ToyPlan> plan = make_toy_plan(inventory, inventory.graphs[graph], placement, options);
    PSHARD_CHECK(plan.ok());
    return std::move(plan).value();
}

}  // namespace pshard
