// From the planner's prediction over the registry to what PSHARD0 does: they must be the same.
#include "plan/plan_hash.h"
#include "planner/registered_plan.h"
#include "planner/registry_form.h"
#include "plugin/packing.h"
#include "registry/registry_text.h"
#include "sim/simulator.h"
#include "support/testing.h"
#include "support/toy_planning.h"

namespace pshard {
namespace {

// A batch of 32 is one that stock would offload.
class Obeyed : public test::ToyPlanning {
protected:
    Obeyed() {
        planning_.inventory =
            toy_model({.n_layers = 4, .n_embd = 64, .n_ff = 128, .n_cells = 32, .tiers = {1, 32}});
        planning_.inventory.context.n_ubatch = 32;  // the tiers end there
        planning_.budget.total = everything() * 9 / 10;
    }

    Bytes everything() const {
        return all_resident_bytes(planning_.inventory, planning_.inventory.graphs.back());
    }

    // What the planner writes and the backend reads.
    Orders orders() const {
        RegistrySection section;
        section.variants = {to_registry_variant(planning_)};
        const Result<RegistryReading> reading =
            read_registry(to_text(Registry{{section}}), "registry");
        EXPECT_TRUE(reading.ok());
        const RegistryMatch match =
            match_registry(reading.value().registry, planning_.inventory, kMiB);
        const Result<Orders> orders = orders_of(planning_.inventory, match.choices, match.budget);
        EXPECT_TRUE(orders.ok());
        return orders.value();
    }

    // As src/runtime goes about a graph: no weight is offloaded, whatever the orders say.
    Seconds seconds_of(const Graph& graph, const TierOrder& order, const TierArena& arena) const {
        const Inventory& seen = planning_.inventory;
        StageOptions options = order.options;
        options.offload = OpOffload::Never;
        const Lowered lowered = lower({seen, graph}, order.placement, options);
        EXPECT_LE(lowered.scratch.gpus[0].peak, arena.scratch);
        EXPECT_TRUE(lowered.streamable);
        const GraphCost cost = price_graph(graph, seen, profile_, planning_.depth_tokens);
        const LinkRates link = *link_rates(profile_);
        const PassCosts costs =
            price_pass(seen, graph, order.placement, lowered.cut, {{{cost, link}}});
        return simulate(lowered.schedule, costs).value().pass_seconds;
    }
};

TEST_F(Obeyed, PredictionIsOfTheScheduleThatIsRun) {
    planning_.depth_tokens = 0;
    for (const StrategyRule* rule : strategy_rules()) {
        planning_.forced = rule->id;
        search();
        const Orders orders = this->orders();
        ASSERT_EQ(orders.tiers.size(), 2U);
        for (std::size_t i = 0; i < orders.tiers.size(); ++i) {
            const Candidate& plan = *planning_.plan.tiers[i].winner();
            EXPECT_EQ(plan.choice.strategy, rule->id);
            EXPECT_DOUBLE_EQ(
                seconds_of(planning_.inventory.graphs[i], orders.tiers[i], orders.arena.tiers[i]),
                plan.prediction->pass_seconds)
                << rule->name << ", " << to_text(orders.tiers[i].key) << " tokens";
        }
    }
}

}  // namespace
}  // namespace pshard
