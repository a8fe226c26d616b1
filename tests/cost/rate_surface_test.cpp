#include "cost/rate_surface.h"

#include <random>

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

// Time is batch*size/rate: with any points, it never falls when either grows.
TEST(RateSurface, NeverLetsMoreWorkTakeLessTime) {
    std::mt19937 random(1234);
    const auto draw = [&](int n) { return double(1 + random() % static_cast<unsigned>(n)); };
    for (int round = 0; round < 200; round++) {
        RateSurface surface;
        for (int i = 0; i < 12; i++) surface.add(draw(20), draw(50), draw(1000));
        const auto time = [&](double b, double s) { return b * s / surface.at(b, s); };
        for (double b = 0.5; b < 30; b *= 1.3) {
            for (double s = 0.5; s < 80; s *= 1.3) {
                EXPECT_LE(time(b, s), time(b * 1.3, s) * (1 + 1e-9));
                EXPECT_LE(time(b, s), time(b, s * 1.3) * (1 + 1e-9));
            }
        }
    }
}

}  // namespace
}  // namespace pshard
