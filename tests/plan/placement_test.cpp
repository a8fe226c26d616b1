#include "plan/placement.h"

#include <gtest/gtest.h>

#include "support/toy_models.h"

namespace pshard {
namespace {

TEST(Placement, CountsWhatIsResidentOnTheDevice) {
    const Inventory inventory = toy_dense(2);
    Placement placement = uniform_placement(inventory, Lane::ShardA);
    EXPECT_EQ(resident_weight_bytes(inventory, placement), 0u);
    EXPECT_EQ(resident_state_bytes(inventory, placement), 0u);
    place_side(placement, inventory, 1, Side::Attention, Lane::Gpu);
    EXPECT_EQ(resident_weight_bytes(inventory, placement), 48u);
    EXPECT_EQ(resident_state_bytes(inventory, placement), 64u);
    place_side(placement, inventory, -1, Side::Output, Lane::Gpu);
    EXPECT_EQ(resident_weight_bytes(inventory, placement), 48u + 8u + 16u);
}

TEST(Placement, CountsPaddedBytes) {
    const Inventory inventory = toy_model({.n_layers = 1, .alignment = 32});
    const Placement placement = uniform_placement(inventory, Lane::Gpu);
    // 6 + 3 weights of the layer and 2 of the output, each in one block; k and v of 32.
    EXPECT_EQ(resident_weight_bytes(inventory, placement), 11u * 32u);
    EXPECT_EQ(resident_state_bytes(inventory, placement), 2u * 32u);
}

}  // namespace
}  // namespace pshard
