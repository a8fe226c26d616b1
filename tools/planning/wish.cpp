#include "planning/wish.h"

#include "ops/cuda_pool.h"

namespace pshard::tool {

Planning wished_plan(const Options& options,
                     const Machine& machine,
                     const Job& job,
                     Inventory inventory,
                     const BudgetUse& budget) {
    Planning planning;
    planning.model_path = options.model.empty() ? options.inventory : options.model;
    planning.inventory = std::move(inventory);
    const PoolDemand pools = pool_demand(planning.inventory);
    planning.budget = budget;
    planning.budget.pools = pools.bytes;
    planning.profile = machine.pricing();
    planning.host = host_limits(machine);
    planning.depth_tokens =
        options.depth.value_or(tokens_per_sequence(planning.inventory.context) / 2);
    planning.n_threads = machine.n_threads;
    planning.forced = options.forced;
    planning.named_ubatch = job.named_ubatch;
    planning.asked_ubatch = job.asked_ubatch;
    planning.smaller_states = job.smaller_states;
    planning.notes = machine.notes;
    if (pools.bytes > 0) planning.notes.push_back("the plan leaves " + text_of(pools));
    if (!job.note.empty()) planning.notes.push_back(job.note);
    return planning;
}

}  // namespace pshard::tool
