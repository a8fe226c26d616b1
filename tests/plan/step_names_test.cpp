#include "plan/step_names.h"

#include <gmock/gmock.h>

#include "support/toy_models.h"
#include "support/toy_plan.h"

namespace pshard {
namespace {

using ::testing::Contains;
using ::testing::Each;

class StepNames : public testing::Test {
protected:
    std::vector<std::string> names(const ToyPlan& plan) {
        return step_names(plan.inventory, plan.graph, plan.cut, plan.schedule);
    }

    // The names of the steps of one kind.
    template <typename Kind>
    std::vector<std::string> names_of(const ToyPlan& plan) {
        std::vector<std::string> all = names(plan);
        std::vector<std::string> some;
        for (std::size_t i = 0; i < all.size(); ++i) {
            if (std::holds_alternative<Kind>(plan.schedule.steps[i].what)) some.push_back(all[i]);
        }
        return some;
    }
};

TEST_F(StepNames, NameTheSideThatIsStreamed) {
    const Inventory inventory = toy_dense(3);
    Placement placement = uniform_placement(inventory, Lane::Gpu);
    place_side(placement, inventory, 1, Side::Ffn, Lane::ShardA);
    place_layer(placement, inventory, 2, Lane::ShardB);
    const ToyPlan plan = toy_plan(inventory, placement);
    EXPECT_EQ(names_of<Load>(plan), (std::vector<std::string>{"layer 1 FFN", "layer 2"}));
    EXPECT_THAT(names_of<Compute>(plan), Contains("layers 0-1"));
    EXPECT_THAT(names_of<Compute>(plan), Contains("layer 1 FFN"));
    EXPECT_THAT(names_of<Wait>(plan), Each(""));
}

TEST_F(StepNames, TellExpertsAndAttentionApart) {
    const Inventory inventory = toy_moe(2);
    Placement placement = uniform_placement(inventory, Lane::Gpu);
    place_side(placement, inventory, 0, Side::Ffn, Lane::ShardA);
    place_side(placement, inventory, 1, Side::Attention, Lane::ShardB);
    EXPECT_EQ(names_of<Load>(toy_plan(inventory, placement)),
              (std::vector<std::string>{"layer 0 experts", "layer 1 attention"}));
}

TEST_F(StepNames, CountWhatALoadMoves) {
    const Inventory inventory = toy_dense(2);
    Placement placement = uniform_placement(inventory, Lane::Gpu);
    place_side(placement, inventory, 1, Side::Ffn, Lane::ShardA);
    const ToyPlan plan = toy_plan(inventory, placement);
    const std::vector<Bytes> bytes = step_bytes(plan.inventory, plan.cut, plan.schedule);
    ASSERT_EQ(bytes.size(), plan.schedule.steps.size());
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const bool load = std::holds_alternative<Load>(plan.schedule.steps[i].what);
        EXPECT_EQ(bytes[i], load ? 48U : 0U) << "gate, up and down of 16 bytes each";
    }
}

}  // namespace
}  // namespace pshard
