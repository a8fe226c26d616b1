#include "machine/quant.h"

#include <gtest/gtest.h>

namespace pshard {
namespace {

TEST(BitsPerWeight, CountsBlockScales) {
    EXPECT_EQ(bits_per_weight("f32"), 32.0);
    EXPECT_EQ(bits_per_weight("q4_0"), 4.5);     // 18 bytes for 32
    EXPECT_EQ(bits_per_weight("q6_K"), 6.5625);  // 210 bytes for 256
    EXPECT_EQ(bits_per_weight("mxfp4"), 4.25);   // 17 bytes for 32
    EXPECT_EQ(bits_per_weight("q9_Z"), std::nullopt);
}

TEST(CodebookQuants, AreTheSmallIqTypes) {
    EXPECT_TRUE(is_codebook_quant("iq2_xxs"));
    EXPECT_TRUE(is_codebook_quant("iq3_s"));
    EXPECT_FALSE(is_codebook_quant("iq4_xs"));
    EXPECT_FALSE(is_codebook_quant("q2_K"));
}

}  // namespace
}  // namespace pshard
