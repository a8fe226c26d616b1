#include "registry/settings.h"
#include "registry/goldens.h"
#include "support/testing.h"

namespace pshard {
namespace {

using test::Golden;

// The file knows the fingerprint, the README of the files its inputs.
TEST(PublishedFingerprint, IsThatOfThePublishedPlanner) {
    for (const Golden& golden : test::kGoldens) {
        const Hash64 hash =
            published_fingerprint(test::golden_settings(golden.n_ctx), golden.file_bytes);
        const std::string header = "\n[fingerprint=" + to_text(hash) + "]\n";
        EXPECT_NE(test::golden_text(golden).find(header), std::string::npos) << golden.name;
    }
}

TEST(PublishedFingerprint, DependsOnEachInput) {
    const SectionSettings base = test::golden_settings(8192);
    std::vector<SectionSettings> others(8, base);
    others[0].n_ctx = 8193;
    others[1].n_seq_max = 2;
    others[2].n_threads = 9;
    others[3].flash_attention = FlashAttention::Auto;
    others[4].flash_attention = FlashAttention::Off;
    others[5].type_k = 8;
    others[6].type_v = 8;
    others[7].strategy = Strategy::GpuOnlyLayerPinLayerStream;
    std::set<Hash64> hashes = {published_fingerprint(base, 1), published_fingerprint(base, 2)};
    for (const SectionSettings& other : others) hashes.insert(published_fingerprint(other, 1));
    EXPECT_EQ(hashes.size(), 2 + others.size());
}

// llama.cpp counts the ways of flash attention from -1: auto, off, on.
TEST(PublishedFingerprint, TakesLlamaCppsNumbers) {
    SectionSettings settings = test::golden_settings(8192);
    settings.flash_attention = FlashAttention::Auto;
    EXPECT_EQ(published_fingerprint(settings, 5), word_hash({8192, 1, 8, -1, 1, 1, 5, -1}));
    settings.flash_attention = FlashAttention::Off;
    settings.strategy = Strategy::StaticAttnPrio;
    EXPECT_EQ(published_fingerprint(settings, 5), word_hash({8192, 1, 8, 0, 1, 1, 5, 3}));
}

TEST(KvTypeNumber, KnowsWhatLlamaCppAccepts) {
    EXPECT_EQ(kv_type_number("f32"), 0);
    EXPECT_EQ(kv_type_number("f16"), 1);
    EXPECT_EQ(kv_type_number("q4_0"), 2);
    EXPECT_EQ(kv_type_number("q4_1"), 3);
    EXPECT_EQ(kv_type_number("q5_0"), 6);
    EXPECT_EQ(kv_type_number("q5_1"), 7);
    EXPECT_EQ(kv_type_number("q8_0"), 8);
    EXPECT_EQ(kv_type_number("iq4_nl"), 20);
    EXPECT_EQ(kv_type_number("bf16"), 30);
    EXPECT_EQ(kv_type_number("q4_K"), std::nullopt);
    EXPECT_EQ(kv_type_number(""), std::nullopt);
}

TEST(SectionSettings, FollowFromTheContext) {
    ContextSpec context;
    context.n_ctx = 0;
    context.n_seq_max = 4;
    context.flash_attention = FlashAttention::On;
    context.type_k = "q8_0";
    context.type_v = "bf16";
    const auto settings = test::value_of(section_settings(context, 12, Strategy::StaticAttnPrio));
    EXPECT_EQ(settings,
              (SectionSettings{.n_ctx = 0,
                               .n_seq_max = 4,
                               .n_threads = 12,
                               .flash_attention = FlashAttention::On,
                               .type_k = 8,
                               .type_v = 30,
                               .strategy = Strategy::StaticAttnPrio}));
}

TEST(SectionSettings, RefuseAnUnknownCacheType) {
    ContextSpec context;
    context.type_v = "q4_K";
    const auto settings = section_settings(context, 8, std::nullopt);
    ASSERT_FALSE(settings.ok());
    EXPECT_EQ(settings.error().text(),
              "'q4_K' is no cache type; -ctv takes one of f32 f16 bf16 q8_0 q4_0 q4_1 iq4_nl q5_0 "
              "q5_1");
}

}  // namespace
}  // namespace pshard
