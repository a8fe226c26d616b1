#include "registry/override_list.h"
#include "registry/goldens.h"
#include "registry/registry_text.h"
#include "support/testing.h"

namespace pshard {
namespace {

OverrideList compiled(std::string_view text) {
    const auto items = parse_ot(text);
    EXPECT_TRUE(items.ok());
    auto list = OverrideList::compile(items.value());
    EXPECT_TRUE(list.ok());
    return std::move(list).value();
}

TEST(ParseOt, SplitsAtFirstEqualsAndLastColon) {
    const auto items = test::value_of(parse_ot("^output=A:B=C:3,blk\\.0\\..*=CUDA_Host:0"));
    EXPECT_EQ(
        items,
        (std::vector<OverrideItem>{{"^output", "A:B=C", 3}, {"blk\\.0\\..*", "CUDA_Host", 0}}));
    EXPECT_EQ(to_text(items), "^output=A:B=C:3,blk\\.0\\..*=CUDA_Host:0");
}

// The column of the faulty item, from the start of the list.
TEST(ParseOt, NamesTheFaultyItem) {
    struct Case {
        const char* text;
        int column;
    };

    for (const Case& c : {Case{"", 1},
                          {"a", 1},
                          {"=B:0", 1},
                          {"a=B", 1},
                          {"a=B:", 1},
                          {"a=B:x", 1},
                          {"a=B:-1", 1},
                          {"a:0=B", 1},
                          {"a=B:0,", 7},
                          {"a=B:0,,c=B:1", 7},
                          {"a=B:99999999999", 1},
                          {"a=B:0,c=B:1 ", 7}}) {
        const auto items = parse_ot(c.text);
        ASSERT_FALSE(items.ok()) << c.text;
        EXPECT_EQ(items.error().place.column, c.column) << c.text;
    }
}

TEST(OverrideList, FirstMatchWinsAnywhereInTheName) {
    const OverrideList list = compiled("^output=H:3,blk\\.1\\.ffn_.*=H:1,blk\\.1\\..*=H:0");
    EXPECT_EQ(list.lane_of("output.weight"), 3);
    EXPECT_EQ(list.lane_of("output_norm.weight"), 3);
    EXPECT_EQ(list.lane_of("blk.1.ffn_up.weight"), 1);
    EXPECT_EQ(list.lane_of("blk.1.attn_output.weight"), 0);
    EXPECT_EQ(list.lane_of("blk.11.attn_q.weight"), std::nullopt);
    EXPECT_EQ(list.lane_of("token_embd.weight"), std::nullopt);
}

// Published FFN pattern [S11]: routers, shared experts and norms are on the attention side.
TEST(OverrideList, KeepsRouterAndSharedExpertsWithTheAttention) {
    const OverrideList list = compiled(
        "blk\\.2\\.ffn_((up|gate|down)\\.|(up|down|gate|gate_up)_(ch|)exps).*=H:1,blk\\.2\\..*=H:"
        "0");
    for (const char* name :
         {"ffn_up", "ffn_gate", "ffn_down", "ffn_up_exps", "ffn_gate_up_exps", "ffn_down_chexps"}) {
        EXPECT_EQ(list.lane_of(std::string("blk.2.") + name + ".weight"), 1) << name;
    }
    for (const char* name :
         {"ffn_gate_inp", "ffn_norm", "ffn_up_shexp", "attn_q", "ffn_down_scale"}) {
        EXPECT_EQ(list.lane_of(std::string("blk.2.") + name + ".weight"), 0) << name;
    }
}

// Published strategies [S11], asked weight by weight of the files of the published planner.
int expected_lane(const PlanChoice& choice, int layer, bool ffn) {
    if (layer < choice.n_pinned) return 0;
    switch (choice.strategy) {
        case Strategy::GpuOnlyLayerPinLayerStream:
            return 1 + layer % 2;
        case Strategy::GpuOnlyAttnPinFfnStream:
            return ffn ? 1 : 0;
        case Strategy::DynamicFfnCpuAttnStream:
            return ffn ? 3 : 1;
        case Strategy::StaticAttnPrio:
            return layer < choice.n_attn_pinned && !ffn ? 0 : 3;
        case Strategy::StaticFitParams:
            break;
    }
    return -1;
}

void expect_published_lanes(const RegistryTier& tier, const std::string& name) {
    const auto compiled_list = test::value_of(OverrideList::compile(tier.ot));
    const OverrideList& list = compiled_list;
    EXPECT_EQ(list.lane_of("output.weight"), tier.choice.output_on_gpu ? 0 : 3);
    EXPECT_EQ(list.lane_of("token_embd.weight"), 3);
    int layer = 0;
    for (; list.lane_of("blk." + std::to_string(layer) + ".attn_q.weight"); ++layer) {
        const std::string blk = "blk." + std::to_string(layer);
        EXPECT_EQ(list.lane_of(blk + ".attn_q.weight"), expected_lane(tier.choice, layer, false))
            << name << " bs=" << tier.key.n_tokens << " " << blk;
        EXPECT_EQ(list.lane_of(blk + ".ffn_up.weight"), expected_lane(tier.choice, layer, true))
            << name << " bs=" << tier.key.n_tokens << " " << blk;
    }
    EXPECT_GE(layer, 24);
}

TEST(OverrideList, AgreesWithTheStrategiesInPublishedFiles) {
    for (const test::Golden& golden : test::kGoldens) {
        const auto reading = test::value_of(read_registry(test::golden_text(golden), golden.name));
        for (const RegistryTier& tier : reading.registry.sections[0].variants[0].tiers) {
            expect_published_lanes(tier, golden.name);
        }
    }
}

TEST(OverrideList, RefusesWhatIsNoPattern) {
    EXPECT_EQ(OverrideList::compile({{"blk(", "H", 0}}).error().message,
              "'blk(' is not a regular expression");
    EXPECT_FALSE(OverrideList::compile({{std::string(100000, '('), "H", 0}}).ok());
}

}  // namespace
}  // namespace pshard
