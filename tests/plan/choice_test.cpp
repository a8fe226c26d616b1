#include "plan/choice.h"

#include <gtest/gtest.h>

namespace pshard {
namespace {

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

}  // namespace
}  // namespace pshard
