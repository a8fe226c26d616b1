#include "inventory/weight_class.h"
#include "support/testing.h"

namespace pshard {

void PrintTo(const WeightClass& where, std::ostream* out) {
    *out << "layer " << where.layer << " side " << int(where.side) << " routed " << where.routed;
}

namespace {

TEST(ClassifyWeight, FollowsTheName) {
    EXPECT_EQ(classify_weight("token_embd.weight"), (WeightClass{-1, Side::Input, false}));
    EXPECT_EQ(classify_weight("output.weight"), (WeightClass{-1, Side::Output, false}));
    EXPECT_EQ(classify_weight("output_norm.weight"), (WeightClass{-1, Side::Output, false}));
    EXPECT_EQ(classify_weight("rope_freqs.weight"), (WeightClass{-1, Side::Output, false}));
    EXPECT_EQ(classify_weight("blk.3.attn_q.weight"), (WeightClass{3, Side::Attention, false}));
    EXPECT_EQ(classify_weight("blk.12.ffn_norm.weight"), (WeightClass{12, Side::Attention, false}));
    EXPECT_EQ(classify_weight("blk.0.ffn_down.weight"), (WeightClass{0, Side::Ffn, false}));
    EXPECT_EQ(classify_weight("blk.0.ffn_down.bias"), (WeightClass{0, Side::Ffn, false}));
}

TEST(ClassifyWeight, TellsRoutedExpertsFromTheRest) {
    EXPECT_EQ(classify_weight("blk.1.ffn_up_exps.weight"), (WeightClass{1, Side::Ffn, true}));
    EXPECT_EQ(classify_weight("blk.1.ffn_gate_up_exps.weight"), (WeightClass{1, Side::Ffn, true}));
    EXPECT_EQ(classify_weight("blk.1.ffn_down_chexps.weight"), (WeightClass{1, Side::Ffn, true}));
    EXPECT_EQ(classify_weight("blk.1.ffn_gate_inp.weight"),
              (WeightClass{1, Side::Attention, false}));
    EXPECT_EQ(classify_weight("blk.1.ffn_up_shexp.weight"),
              (WeightClass{1, Side::Attention, false}));
}

TEST(LayerOfName, NeedsANumberAndADot) {
    EXPECT_EQ(layer_of_name("blk.7.x"), 7);
    EXPECT_EQ(layer_of_name("blk.7"), -1);
    EXPECT_EQ(layer_of_name("blk.x.y"), -1);
    EXPECT_EQ(layer_of_name("blk.99999999999.y"), -1);
    EXPECT_EQ(layer_of_name(""), -1);
}

}  // namespace
}  // namespace pshard
