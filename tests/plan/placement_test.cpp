#include "plan/placement.h"
#include "plan/choice.h"
#include "plan/timeline.h"
#include "support/testing.h"
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

TEST(Choice, OverflowIsReadByName) {
    EXPECT_EQ(overflow_name(Overflow::None), "NONE");
    EXPECT_EQ(overflow_name(Overflow::Attn), "ATTN");
    EXPECT_EQ(overflow_name(Overflow::Up), "UP");
    EXPECT_EQ(overflow_name(Overflow::Gate), "GATE");
    EXPECT_EQ(overflow_name(Overflow::Moe), "MOE");
    for (auto part :
         {Overflow::None, Overflow::Attn, Overflow::Up, Overflow::Gate, Overflow::Moe}) {
        EXPECT_EQ(overflow_of(overflow_name(part)), part);
    }
    EXPECT_EQ(overflow_of("DOWN"), std::nullopt);
    EXPECT_EQ(overflow_of("none"), std::nullopt);
    EXPECT_EQ(overflow_of(""), std::nullopt);
}

//   upload   ====
//   GPU          ####
//   download         --
Schedule three_lanes() {
    return {{{ScheduleLane::Upload, Load{0}},
             {ScheduleLane::Gpu, Wait{0, false}},
             {ScheduleLane::Gpu, Compute{0}},
             {ScheduleLane::Download, Wait{2, false}},
             {ScheduleLane::Download, Store{0}}}};
}

TEST(Timeline, SumsWhatALaneWorked) {
    const Timeline timeline{{{0, 0, 4}, {2, 4, 8}, {4, 8, 10}}, 10};
    EXPECT_EQ(busy_seconds(timeline, three_lanes(), ScheduleLane::Upload), 4.0);
    EXPECT_EQ(busy_seconds(timeline, three_lanes(), ScheduleLane::Gpu), 4.0);
    EXPECT_EQ(busy_seconds(timeline, three_lanes(), ScheduleLane::Download), 2.0);
    EXPECT_EQ(busy_seconds(timeline, three_lanes(), ScheduleLane::Cpu), 0.0);
}

TEST(Timeline, NamesLanes) {
    EXPECT_EQ(lane_name(ScheduleLane::Gpu), "GPU");
    EXPECT_EQ(lane_name(ScheduleLane::Upload), "upload");
    EXPECT_EQ(lane_name(ScheduleLane::Download), "download");
    EXPECT_EQ(lane_name(ScheduleLane::Cpu), "CPU");
}

TEST(Timeline, DrawsLanesOverTime) {
    const Timeline timeline{{{0, 0, 4}, {2, 4, 8}, {4, 8, 10}}, 10};
    const std::string drawn = draw(timeline, three_lanes(), 10);
    EXPECT_THAT(drawn, HasSubstr("====      "));
    EXPECT_THAT(drawn, HasSubstr("    ####  "));
    EXPECT_THAT(drawn, HasSubstr("        --"));
    EXPECT_THAT(draw(timeline, three_lanes(), 20), HasSubstr("        ########    "));
}

TEST(Timeline, DrawsNothingOfAnEmptyOne) {
    EXPECT_EQ(draw({}, {}, 10).find_first_of("#="), std::string::npos);
}

}  // namespace
}  // namespace pshard
