// What the plan functions make is right, whatever the model and the placement.
#include "support/testing.h"
#include "support/toy_models.h"
#include "support/toy_plan.h"

namespace pshard {
namespace {

std::vector<StageOptions> all_options() {
    std::vector<StageOptions> all;
    for (OpOffload offload : {OpOffload::Never, OpOffload::Stock}) {
        for (bool slice : {false, true}) all.push_back({offload, slice});
    }
    return all;
}

// Plans that could be made, of all that were tried.
struct Tally {
    int tried = 0;
    int made = 0;
};

Tally verify_all(const Inventory& inventory, Draw draw, int n_placements, std::uint64_t seed) {
    Tally tally;
    for (int i = 0; i < n_placements; i++) {
        const Placement placement = random_placement(inventory, draw, seed + std::uint64_t(i));
        for (const StageOptions& options : all_options()) {
            for (const Graph& graph : inventory.graphs) {
                tally.tried++;
                const Result<ToyPlan> plan = make_toy_plan(inventory, graph, placement, options);
                if (!plan) continue;
                tally.made++;
                EXPECT_THAT(plan.value().violations(), IsEmpty())
                    << "placement seed " << seed + std::uint64_t(i) << ", " << graph.n_tokens
                    << " tokens, offload " << int(options.offload) << ", slices "
                    << options.slice_experts;
                if (::testing::Test::HasFailure()) return tally;
            }
        }
    }
    return tally;
}

std::vector<Inventory> toy_zoo() {
    return {toy_dense(1),
            toy_dense(2),
            toy_dense(5),
            toy_moe(3),
            toy_model({.n_layers = 4, .n_recurrent = 2, .tiers = {1, 64}}),
            toy_model({.n_layers = 3, .n_experts = 8, .alignment = 8, .tiers = {1, 64}}),
            toy_model({.n_layers = 3, .alignment = 128, .tiers = {2, 33}})};
}

TEST(VerifyRandom, ToyModelsOnLanesBySide) {
    std::vector<Inventory> zoo = toy_zoo();
    zoo.push_back(toy_model({.n_layers = 3, .sinks = true}));
    for (const Inventory& inventory : zoo) {
        const Tally tally = verify_all(inventory, Draw::Sides, 40, 1);
        EXPECT_EQ(tally.made, tally.tried);
        if (HasFailure()) return;
    }
}

TEST(VerifyRandom, ToyModelsOnLanesByWeight) {
    for (const Inventory& inventory : toy_zoo()) {
        const Tally tally = verify_all(inventory, Draw::Weights, 40, 1000);
        EXPECT_GT(tally.made, tally.tried / 2);
        if (HasFailure()) return;
    }
}

TEST(VerifyRandom, RandomModels) {
    for (std::uint64_t seed = 0; seed < 400; seed++) {
        SCOPED_TRACE("model seed " + std::to_string(seed));
        const Inventory inventory = random_model(seed);
        verify_all(inventory, Draw::Sides, 3, seed * 1000);
        verify_all(inventory, Draw::Weights, 3, seed * 1000);
        if (HasFailure()) return;
    }
}

}  // namespace
}  // namespace pshard
