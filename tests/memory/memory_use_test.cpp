// Bytes of the toy model, summed by hand (tests/support/toy_models.h lists its tensors).

#include "memory/memory_use.h"
#include "support/testing.h"
#include "support/toy_models.h"
#include "support/toy_plan.h"

namespace pshard {
namespace {

MemoryUse use_of(const ToyPlan& plan) { return memory_use(plan.inventory, plan.lowered); }

// Two layers: 2 * (48 + 48) + norm 8 + head 16 = 216 on the GPU, KV 2 * 64; token_embd 16 stays.
TEST(MemoryUse, CountsWhatIsResident) {
    const Inventory inventory = toy_dense(2);
    const ToyPlan plan = toy_plan(inventory, uniform_placement(inventory, Lane::Gpu));
    const MemoryUse use = use_of(plan);
    EXPECT_EQ(use.device.weights, 216U);
    EXPECT_EQ(use.device.states, 128U);
    EXPECT_EQ(use.device.slots, 0U);
    EXPECT_EQ(use.device.scratch, plan.lowered.scratch.gpus[0].peak);
    EXPECT_EQ(use.device.total(), 216U + 128U + plan.lowered.scratch.gpus[0].peak);
    EXPECT_EQ(use.host.computed, 16U);
    EXPECT_EQ(use.host.streamed, 0U);
    EXPECT_EQ(use.host.states, 0U);
}

// Both layers streamed: each 96 of weights and 64 of KV; two slots hold both at once.
TEST(MemoryUse, CountsSlotsForTwoNeighbours) {
    const Inventory inventory = toy_dense(2);
    Placement placement = uniform_placement(inventory, Lane::Gpu);
    place_layer(placement, inventory, 0, Lane::ShardA);
    place_layer(placement, inventory, 1, Lane::ShardB);
    const MemoryUse use = use_of(toy_plan(inventory, placement));
    EXPECT_EQ(use.device.weights, 24U);
    EXPECT_EQ(use.device.slots, 2U * (96 + 64));
    EXPECT_EQ(use.host.computed, 16U);
    EXPECT_EQ(use.host.streamed, 192U);
    EXPECT_EQ(use.host.states, 128U);
}

TEST(MemoryUse, PageLocksUpToTheCeiling) {
    HostUse use;
    use.streamed = 300;
    use.states = 100;
    EXPECT_DOUBLE_EQ(page_locked_share(use, {}), 1);
    EXPECT_DOUBLE_EQ(page_locked_share(use, {1000, 400}), 1);
    EXPECT_DOUBLE_EQ(page_locked_share(use, {1000, 100}), 0.25);
    EXPECT_DOUBLE_EQ(page_locked_share(use, {200, {}}), 0.5);
    EXPECT_DOUBLE_EQ(page_locked_share(HostUse{}, {1000, 0}), 1);
}

TEST(MemoryUse, TellsWhatTheHostLacks) {
    HostUse use;
    use.streamed = 300;
    use.computed = 200;
    EXPECT_EQ(host_shortage(use, {}), 0U);
    EXPECT_EQ(host_shortage(use, {500, {}}), 0U);
    EXPECT_EQ(host_shortage(use, {400, {}}), 100U);
}

}  // namespace
}  // namespace pshard
