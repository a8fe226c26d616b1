#include "plan/free_list.h"

#include <gtest/gtest.h>

namespace pshard {
namespace {

TEST(FreeList, GrowsAtTheEndAndRoundsUp) {
    FreeList list(8);
    EXPECT_EQ(list.take(10), 0u);  // [0, 16)
    EXPECT_EQ(list.take(8), 16u);  // [16, 24)
    EXPECT_EQ(list.peak(), 24u);
}

TEST(FreeList, TakesTheSmallestHoleThatFits) {
    FreeList list(1);
    //   [a 0..30)[x)[b 31..41)[y)[c 42..62)[z)
    const Bytes a = list.take(30);
    list.take(1);
    const Bytes b = list.take(10);
    list.take(1);
    const Bytes c = list.take(20);
    list.take(1);
    list.give(a, 30);
    list.give(b, 10);
    list.give(c, 20);
    EXPECT_EQ(list.take(15), c);
    EXPECT_EQ(list.take(10), b);
    EXPECT_EQ(list.take(10), a);       // the hole of 30, from its begin
    EXPECT_EQ(list.take(20), a + 10);  // what is left of it
    EXPECT_EQ(list.peak(), 63u);
}

TEST(FreeList, OfEqualHolesTakesTheLowest) {
    FreeList list(1);
    const Bytes a = list.take(4);
    list.take(1);
    const Bytes b = list.take(4);
    list.take(1);
    list.give(b, 4);
    list.give(a, 4);
    EXPECT_EQ(list.take(4), a);
    EXPECT_EQ(list.take(4), b);
}

TEST(FreeList, MergesNeighboursOnBothSides) {
    FreeList list(1);
    const Bytes a = list.take(4);
    const Bytes b = list.take(4);
    const Bytes c = list.take(4);
    list.take(1);
    list.give(a, 4);
    list.give(c, 4);
    list.give(b, 4);
    EXPECT_EQ(list.take(12), 0u);
    EXPECT_EQ(list.peak(), 13u);
}

TEST(FreeList, GivesTheEndBackToTheRegion) {
    FreeList list(1);
    list.take(4);
    const Bytes b = list.take(4);
    const Bytes c = list.take(4);
    list.give(b, 4);
    list.give(c, 4);
    EXPECT_EQ(list.take(9), 4u);  // not behind a hole that nobody uses
    EXPECT_EQ(list.peak(), 13u);
}

TEST(FreeList, RoundsWhatItIsGivenBack) {
    FreeList list(8);
    const Bytes a = list.take(5);
    list.take(8);
    list.give(a, 5);
    EXPECT_EQ(list.take(8), a);
}

}  // namespace
}  // namespace pshard
