#include "strategy/counts.h"

#include <gtest/gtest.h>

namespace pshard {
namespace {

// Of 0 to 40 layers `most` fit: found from every guess, within or without the range.
TEST(LargestNear, FindsTheMostThatFitFromEveryGuess) {
    for (int most = 0; most <= 40; ++most) {
        const auto fits = [&](int n) { return n <= most; };
        EXPECT_EQ(largest(0, 40, fits), most);
        for (int guess = -3; guess <= 45; ++guess) {
            EXPECT_EQ(largest_near(guess, 0, 40, fits), most) << "guess " << guess;
        }
    }
}

// From 20: it fits, 21 does not.
TEST(LargestNear, AsksTwiceWhereTheGuessIsRight) {
    int asked = 0;
    const auto fits = [&](int n) {
        ++asked;
        return n <= 20;
    };
    EXPECT_EQ(largest_near(20, 0, 40, fits), 20);
    EXPECT_EQ(asked, 2);
}

}  // namespace
}  // namespace pshard
