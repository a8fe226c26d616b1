#include "cost/rate_surface.h"

#include <gtest/gtest.h>

namespace pshard {
namespace {

TEST(RateSurface, GivesMeasuredPointsBack) {
    RateSurface surface;
    surface.add(1, 10, 5);
    surface.add(4, 10, 10);
    EXPECT_DOUBLE_EQ(surface.at(1, 10), 5);
    EXPECT_DOUBLE_EQ(surface.at(4, 10), 10);
}

// Halfway in the logarithm: batch 2 between 1 and 4, size 20 between 10 and 40.
TEST(RateSurface, InterpolatesOverBatchAndSize) {
    RateSurface surface;
    surface.add(1, 10, 1);
    surface.add(4, 10, 4);
    EXPECT_DOUBLE_EQ(surface.at(2, 10), 2);
    surface.add(1, 40, 4);
    EXPECT_DOUBLE_EQ(surface.at(1, 20), 2);
}

TEST(RateSurface, KeepsTheRateBeyondThePoints) {
    RateSurface surface;
    surface.add(2, 10, 3);
    EXPECT_EQ(surface.at(1, 1), 3);
    EXPECT_EQ(surface.at(100, 100), 3);
    EXPECT_TRUE(surface.covers(1));
    EXPECT_TRUE(surface.covers(4));
    EXPECT_FALSE(surface.covers(5));
    EXPECT_FALSE(surface.covers(0.5));
}

TEST(RateSurface, AveragesEqualPoints) {
    RateSurface surface;
    surface.add(1, 10, 2);
    surface.add(1, 10, 4);
    surface.add(1, 10, 6);
    EXPECT_DOUBLE_EQ(surface.at(1, 10), 4);
}

// A rate that leaps by more than the work would make more work take less time.
TEST(RateSurface, LowersRatesThatGrowFasterThanTheWork) {
    RateSurface surface;
    surface.add(1, 10, 1);
    surface.add(1, 20, 100);
    surface.add(2, 10, 50);
    EXPECT_DOUBLE_EQ(surface.at(1, 20), 2);
    EXPECT_DOUBLE_EQ(surface.at(2, 10), 2);
}

}  // namespace
}  // namespace pshard
