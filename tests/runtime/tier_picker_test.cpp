// When a small batch stays with a larger tier's plan.
#include "runtime/tier_picker.h"

#include <gmock/gmock.h>

namespace pshard {
namespace {

// Tiers of 1, 16 and 512 tokens; the last streams 100 bytes a pass.
TierTraffic traffic(Bytes there_and_back) {
    TierTraffic traffic;
    traffic.tiers = {{1}, {16}, {512}};
    traffic.streamed = {0, 40, 100};
    traffic.moves.assign(3, std::vector<Bytes>(3, there_and_back / 2));
    return traffic;
}

TEST(TierPicker, TakesTheSmallestTierThatHoldsTheBatch) {
    TierPicker picker(traffic(0));
    EXPECT_EQ(picker.next({1}, 0), 0U);
    EXPECT_EQ(picker.next({2}, 0), 1U);
    EXPECT_EQ(picker.next({16}, 1), 1U);
    EXPECT_EQ(picker.next({17}, 1), 2U);
}

TEST(TierPicker, GivesTheLargestTierToWhatNoneHolds) {
    TierPicker picker(traffic(0));
    EXPECT_EQ(picker.next({513}, 0), 2U);
}

TEST(TierPicker, GoesAtOnceWhereOnePassOfWaitingCostsAsMuchAsTheWay) {
    TierPicker picker(traffic(100));
    EXPECT_EQ(picker.next({1}, 2), 0U);
}

TEST(TierPicker, StaysUntilWaitingHasCostTheWay) {
    TierPicker picker(traffic(250));
    EXPECT_EQ(picker.next({1}, 2), 2U);  // 100
    EXPECT_EQ(picker.next({1}, 2), 2U);  // 200
    EXPECT_EQ(picker.next({1}, 2), 0U);  // 300
}

TEST(TierPicker, CountsAnewAfterABatchThatBelongsWhereItRuns) {
    TierPicker picker(traffic(250));
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(picker.next({1}, 2), 2U);
        EXPECT_EQ(picker.next({1}, 2), 2U);
        EXPECT_EQ(picker.next({512}, 2), 2U);
    }
}

TEST(TierPicker, GoesUpAtOnce) {
    TierPicker picker(traffic(1000));
    EXPECT_EQ(picker.next({512}, 0), 2U);
}

// What cannot be weighed by uploads is left to the plan.
TEST(TierPicker, GoesAtOnceWhereWaitingUploadsNoMore) {
    TierTraffic even = traffic(1000);
    even.streamed = {100, 100, 100};
    TierPicker picker(even);
    EXPECT_EQ(picker.next({1}, 2), 0U);
}

}  // namespace
}  // namespace pshard
