#include "registry/pshard_lines.h"
#include "registry/goldens.h"
#include "support/testing.h"

namespace pshard {
namespace {

// Reads ` KEY=VALUE ...`, which stand in column `column` of line 7.
std::vector<Error> read(const std::string& pairs, PshardTier& tier, int column = 1) {
    Cursor in(TextLine{pairs, pairs, {"f", 7, column}});
    return read_pshard(in, tier);
}

// A pair that is too long for a line has one of its own. RegistryText.ReadsBackEveryField reads all
// of them back.
TEST(PshardLines, HaveAHundredColumns) {
    const RegistryVariant variant = test::full_variant();
    const std::string text = pshard_text(variant.tiers[0].pshard) + pshard_text(variant.pshard);
    for (const TextLine line : lines_of(text, "")) {
        EXPECT_TRUE(line.text.size() <= 100 || std::ranges::count(line.text, ' ') == 3);
    }
    EXPECT_GT(std::ranges::count(text, '\n'), 4);
    EXPECT_EQ(pshard_text(PshardSection{.file_bytes = 18631619200, .unknown = {}}),
              "# pshard section file_bytes=18631619200\n");
}

TEST(PshardLines, AreNotWrittenWithoutContent) {
    EXPECT_EQ(
        pshard_text(PshardSection{}) + pshard_text(PshardVariant{}) + pshard_text(PshardTier{}),
        "");
}

// Faulty and repeated pairs are reported with their column, and written again.
TEST(PshardLines, KeepWhatTheyCannotRead) {
    PshardTier pshard;
    const auto warnings =
        read(" depth=x later=1 depth=5 depth=6 ops=0xFF alone =v tps=-1", pshard, 11);
    EXPECT_EQ(test::warnings_text(warnings),
              "f:7:12: 'depth=x': expected a whole number from 0 to 1073741824\n"
              "f:7:36: 'depth=6': expected depth only once\n"
              "f:7:44: 'ops=0xFF': expected 0x and 16 lowercase hex digits\n"
              "f:7:53: 'alone': expected KEY=VALUE\n"
              "f:7:59: '=v': expected KEY=VALUE\n"
              "f:7:62: 'tps=-1': expected a number from 0 to 1000000000000\n");
    EXPECT_EQ(pshard.depth, 5U);
    EXPECT_EQ(pshard_text(pshard),
              "# pshard tier depth=5 depth=x depth=6 ops=0xFF alone =v tps=-1 later=1\n");
    EXPECT_EQ(test::warnings_text(read(" depth=7", pshard)),
              "f:7:2: 'depth=7': expected depth only once\n");
}

TEST(PshardLines, SayAPlanInOneValue) {
    PshardTier pshard;
    const std::string plan =
        "strategy:STATIC_FITPARAMS_DENSEPRIO_MOEONLY,n_pinned:2,n_attn_pinned:0,overflow:NONE,"
        "output_on_gpu:1,pin_from_back:0";
    EXPECT_TRUE(read(" plan=" + plan, pshard).empty());
    EXPECT_EQ(pshard.plan,
              (PlanChoice{.strategy = Strategy::StaticFitParams,
                          .n_pinned = 2,
                          .n_attn_pinned = 0,
                          .overflow = Overflow::None,
                          .output_on_gpu = true,
                          .pin_from_back = false}));
    for (const char* bad : {" plan=", " plan=strategy:4", " plan=n_pinned:2,n_pinned:2"}) {
        PshardTier other;
        EXPECT_EQ(read(bad, other).size(), 1U) << bad;
        EXPECT_EQ(other.plan, std::nullopt);
    }
}

TEST(WeightsHash, IgnoresTheOrderButNothingElse) {
    Weight a;
    a.name = "blk.0.attn_q.weight";
    a.type = "q4_0";
    a.shape = {64, 32, 1, 1};
    Weight b = a;
    b.name = "blk.0.attn_k.weight";
    EXPECT_EQ(weights_hash({a, b}), weights_hash({b, a}));
    Weight other_type = b;
    other_type.type = "q8_0";
    Weight other_shape = b;
    other_shape.shape = {32, 64, 1, 1};
    EXPECT_NE(weights_hash({a, b}), weights_hash({a}));
    EXPECT_NE(weights_hash({a, b}), weights_hash({a, other_type}));
    EXPECT_NE(weights_hash({a, b}), weights_hash({a, other_shape}));
}

TEST(StatesHash, CountsBytesPerLayer) {
    State k;
    k.name = "cache_k_l0";
    k.layer = 0;
    k.bytes = 100;
    State v = k;
    v.name = "cache_v_l0";
    v.bytes = 50;
    State both = k;
    both.bytes = 150;
    EXPECT_EQ(states_hash({k, v}), states_hash({v, k}));
    EXPECT_EQ(states_hash({k, v}), states_hash({both}));
    both.layer = 1;
    EXPECT_NE(states_hash({k, v}), states_hash({both}));
}

}  // namespace
}  // namespace pshard
