// Damaged files: nothing is lost, all is reported, and no plan passes for another one [A44].
#include "registry/goldens.h"
#include "registry/registry_blocks.h"
#include "registry/registry_text.h"
#include "support/testing.h"

namespace pshard {
namespace {

// Two sections: 0xa with two variants, 0xb with one that is disabled. Lines count from 1.
const std::vector<std::string> kGood = {
    "# Generated file. Edit at your own risk.",  // 1
    "",
    "[fingerprint=0x000000000000000a]",  // 3
    "# n_ctx=2048 n_seq_max=1 n_threads=8 fa=on type_k=1 type_v=1 strategy=auto",
    "",
    "[variant budget=600 cache_ubatch=512]",  // 6
    "[tier 0 bs=1]",
    "strategy=STATIC_ATTNPRIO_ALLMODELS n_pinned=1 n_attn_pinned=4 overflow=NONE tps=12.85 "
    "vram=588.4 output_on_gpu=0 pin_from_back=0",  // 8
    "ot=zero=H:0",
    "[tier 1 bs=16]",  // 10
    "strategy=GPUONLY_LAYERPIN_LAYERSTREAM n_pinned=2 n_attn_pinned=0 overflow=NONE tps=1994.90 "
    "vram=597.0 output_on_gpu=0 pin_from_back=0",
    "ot=one=H:1",  // 12
    "",
    "[variant budget=700 cache_ubatch=512]",  // 14
    "[tier 0 bs=1]",
    "strategy=GPUONLY_LAYERPIN_LAYERSTREAM n_pinned=3 n_attn_pinned=0 overflow=NONE tps=1.00 "
    "vram=600.0 output_on_gpu=0 pin_from_back=0",  // 16
    "ot=two=H:2",
    "",
    "[fingerprint=0x000000000000000b]",  // 19
    "# n_ctx=4096 n_seq_max=1 n_threads=8 fa=on type_k=1 type_v=1 strategy=auto",
    "",
    "[variant budget=800 cache_ubatch=512]",  // 22
    "pshard_disabled=1 baseline_vram=100.5",
};

constexpr const char* kGoodMeaning = "a{600[0:zero 1:one]700[0:two]}b{800(100.5)}";

std::string meaning_of(const RegistryVariant& variant) {
    if (variant.baseline_vram_mib) return fmt::format("({})", *variant.baseline_vram_mib);
    std::vector<std::string> tiers;
    for (const RegistryTier& tier : variant.tiers) {
        const std::string plan = tier.viable ? tier.ot.at(0).pattern : "-";
        EXPECT_TRUE(tier.viable || tier == (RegistryTier{.index = tier.index,
                                                         .key = tier.key,
                                                         .viable = false,
                                                         .damaged = tier.damaged,
                                                         .choice = {},
                                                         .ot = {},
                                                         .pshard = tier.pshard}));
        tiers.push_back(fmt::format("{}:{}", tier.index, plan));
    }
    return fmt::format("[{}]", fmt::join(tiers, " "));
}

std::string meaning_of(const Registry& registry) {
    std::string text;
    for (const RegistrySection& section : registry.sections) {
        text += fmt::format("{:x}{{", section.fingerprint.value);
        for (const RegistryVariant& variant : section.variants) {
            text += fmt::format("{}{}", variant.budget_mib, meaning_of(variant));
        }
        text += "}";
    }
    return text;
}

std::string joined(const std::vector<std::string>& lines) {
    return fmt::format("{}\n", fmt::join(lines, "\n"));
}

struct Fault {
    const char* name;
    std::vector<std::pair<int, const char*>> edits;  // line, what it becomes
    const char* meaning;
    std::vector<const char*> warnings;  // each a part of one, in order
};

void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }

class RegistryBad : public testing::TestWithParam<Fault> {};

TEST_P(RegistryBad, IsReportedAndNothingPassesForAnotherPlan) {
    std::vector<std::string> lines = kGood;
    for (const auto& [number, line] : GetParam().edits) {
        lines[std::size_t(number - 1)] = line;
    }
    const std::string text = joined(lines);
    EXPECT_EQ(text_of(registry_blocks(text, "f")), text);
    const auto reading = test::value_of(read_registry(text, "f"));
    EXPECT_EQ(meaning_of(reading.registry), GetParam().meaning);
    const std::vector<Error>& warnings = reading.warnings;
    EXPECT_EQ(warnings.size(), GetParam().warnings.size()) << test::warnings_text(warnings);
    for (std::size_t i = 0; i < std::min(warnings.size(), GetParam().warnings.size()); ++i) {
        EXPECT_NE(warnings[i].text().find(GetParam().warnings[i]), std::string::npos)
            << warnings[i].text();
    }
}

const Fault kFaults[] = {
    {"None", {}, kGoodMeaning, {}},
    // sections
    {"FingerprintTooShort",
     {{19, "[fingerprint=0xb]"}},
     "a{600[0:zero 1:one]700[0:two]}",
     {"f:19:1: expected [fingerprint=0x and 16 lowercase hex digits"}},
    {"FingerprintInCapitals",
     {{3, "[fingerprint=0x000000000000000A]"}},
     "b{800(100.5)}",
     {"f:3:1: expected [fingerprint=0x and 16 lowercase hex digits"}},
    {"FingerprintWithoutBracket",
     {{19, "fingerprint=0x000000000000000b]"}},
     "a{600[0:zero 1:one]700[0:two]}",
     {"f:19:1: expected a header", "f:20:1: expected a [fingerprint=...] line above"}},
    {"FingerprintMisspelt",
     {{19, "[fingerprimt=0x000000000000000b]"}},
     "a{600[0:zero 1:one]700[0:two]}",
     {"f:19:1: expected [fingerprint, [variant or [tier"}},
    {"FirstFingerprintMissing",
     {{3, ""}},
     "b{800(100.5)}",
     {"f:6:1: expected a [fingerprint=...] line above"}},
    {"SettingsIncomplete",
     {{4, "# n_ctx=2048 fa=maybe"}},
     kGoodMeaning,
     {"f:4:1: expected n_ctx, n_seq_max", "f:4:14: 'fa=maybe': expected one of off, on, auto"}},
    // variants
    {"VariantWithoutNumber",
     {{14, "[variant budget= cache_ubatch=512]"}},
     "a{600[0:zero 1:one]}b{800(100.5)}",
     {"f:14:1: expected [variant budget=MIB cache_ubatch=TOKENS]"}},
    {"VariantNegative",
     {{6, "[variant budget=-600 cache_ubatch=512]"}},
     "a{700[0:two]}b{800(100.5)}",
     {"f:6:1: expected [variant budget=MIB cache_ubatch=TOKENS]"}},
    {"VariantTooLarge",
     {{6, "[variant budget=99999999999 cache_ubatch=512]"}},
     "a{700[0:two]}b{800(100.5)}",
     {"f:6:1: expected [variant budget=MIB cache_ubatch=TOKENS]"}},
    {"VariantIndented",
     {{14, "  [variant budget=700 cache_ubatch=512]"}},
     "a{600[0:zero 1:one]}b{800(100.5)}",
     {"f:14:1: expected [variant budget=MIB cache_ubatch=TOKENS]"}},
    {"VariantMissing",
     {{14, ""}},
     "a{600[0:zero 1:one]}b{800(100.5)}",
     {"f:15:1: expected a [variant ...] line above"}},
    {"VariantOfDisabledMissing",
     {{22, ""}},
     "a{600[0:zero 1:one]700[0:two]}b{}",
     {"f:23:1: expected a header"}},
    {"DisabledBelowTiers",
     {{13, "pshard_disabled=1 baseline_vram=1.0"}},
     kGoodMeaning,
     {"f:13:1: expected pshard_disabled=1 baseline_vram=MIB once, in a variant without tiers"}},
    {"DisabledZero",
     {{23, "pshard_disabled=0 baseline_vram=1.0"}},
     "a{600[0:zero 1:one]700[0:two]}b{800[]}",
     {"f:23:1: expected pshard_disabled=1"}},
    {"DisabledNotANumber",
     {{23, "pshard_disabled=1 baseline_vram=nan"}},
     "a{600[0:zero 1:one]700[0:two]}b{800[]}",
     {"f:23:1: expected pshard_disabled=1", "f:23:19: 'baseline_vram=nan': expected a number"}},
    // tiers
    {"TierWithoutBatch",
     {{10, "[tier 1 bs=]"}},
     "a{600[0:zero]700[0:two]}b{800(100.5)}",
     {"f:10:1: expected [tier INDEX bs=TOKENS]"}},
    {"TierWithRemark",
     {{10, "[tier 1 bs=16] viable"}},
     "a{600[0:zero]700[0:two]}b{800(100.5)}",
     {"f:10:1: expected [tier INDEX bs=TOKENS]"}},
    {"TierMisspelt",
     {{10, "[tire 1 bs=16]"}},
     "a{600[0:zero]}b{800(100.5)}",
     {"f:10:1: expected [fingerprint, [variant or [tier"}},
    {"TierWithoutBracket",
     {{10, "tier 1 bs=16]"}},
     "a{600[0:zero]700[0:two]}b{800(100.5)}",
     {"f:10:1: expected a header", "f:11:1: expected strategy= only as the first line"}},
    {"TierMissing",
     {{10, ""}},
     "a{600[0:zero]700[0:two]}b{800(100.5)}",
     {"f:11:1: expected strategy= only as the first line"}},
    {"TierAndStrategyMissing",
     {{10, ""}, {11, ""}},
     "a{600[0:zero]700[0:two]}b{800(100.5)}",
     {"f:12:1: expected ot= only as the line after strategy="}},
    {"NotViableWithAPlan",
     {{7, "[tier 0 bs=1] not_viable"}},
     "a{600[0:- 1:one]700[0:two]}b{800(100.5)}",
     {"f:8:1: expected strategy= only as the first line of a viable tier"}},
    // strategy
    {"StrategyMissing",
     {{8, ""}},
     "a{600[0:- 1:one]700[0:two]}b{800(100.5)}",
     {"f:9:1: expected ot= only as the line after strategy="}},
    {"StrategyAndTierMissing",
     {{8, ""}, {10, ""}},
     "a{600[0:-]700[0:two]}b{800(100.5)}",
     {"f:9:1: expected ot= only as the line after strategy="}},
    {"StrategyUnknown",
     {{8,
       "strategy=EXPERT_POOL n_pinned=1 n_attn_pinned=4 overflow=NONE output_on_gpu=0 "
       "pin_from_back=0"}},
     "a{600[0:- 1:one]700[0:two]}b{800(100.5)}",
     {"f:8:1: 'strategy=EXPERT_POOL': expected the name of a strategy",
      "f:8:1: expected strategy, n_pinned"}},
    {"StrategyByNumber",
     {{8, "strategy=3 n_pinned=1 n_attn_pinned=4 overflow=NONE output_on_gpu=0 pin_from_back=0"}},
     "a{600[0:- 1:one]700[0:two]}b{800(100.5)}",
     {"f:8:1: 'strategy=3'", "f:8:1: expected strategy, n_pinned"}},
    {"StrategyWithoutOutput",
     {{8,
       "strategy=STATIC_ATTNPRIO_ALLMODELS n_pinned=1 n_attn_pinned=4 overflow=NONE tps=1 "
       "vram=2 pin_from_back=0"}},
     "a{600[0:- 1:one]700[0:two]}b{800(100.5)}",
     {"f:8:1: expected strategy, n_pinned"}},
    {"StrategyTwiceTheSameKey",
     {{8,
       "strategy=STATIC_ATTNPRIO_ALLMODELS n_pinned=1 n_pinned=2 n_attn_pinned=4 overflow=NONE "
       "output_on_gpu=0 pin_from_back=0"}},
     "a{600[0:- 1:one]700[0:two]}b{800(100.5)}",
     {"f:8:1: expected strategy, n_pinned", "f:8:47: 'n_pinned=2': expected n_pinned only once"}},
    {"StrategyCutOff",
     {{8, "strategy=STATIC_ATTN"}},
     "a{600[0:- 1:one]700[0:two]}b{800(100.5)}",
     {"f:8:1: 'strategy=STATIC_ATTN'", "f:8:1: expected strategy, n_pinned"}},
    {"StrategyTwice",
     {{9,
       "strategy=GPUONLY_LAYERPIN_LAYERSTREAM n_pinned=2 n_attn_pinned=0 overflow=NONE "
       "output_on_gpu=0 pin_from_back=0"}},
     "a{600[0:- 1:one]700[0:two]}b{800(100.5)}",
     {"f:9:1: expected strategy= only as the first line of a viable tier"}},
    // override lists
    {"OverridesMissing",
     {{9, ""}},
     "a{600[0:- 1:one]700[0:two]}b{800(100.5)}",
     {"f:7:1: expected a strategy and an ot line below; the tier is not viable"}},
    {"OverridesEmpty",
     {{9, "ot="}},
     "a{600[0:- 1:one]700[0:two]}b{800(100.5)}",
     {"f:9:4: '': expected REGEX=BUFFER_TYPE:LANE; the tier is not viable"}},
    {"OverridesCutOff",
     {{12, "ot=one=H:1,two=H"}},
     "a{600[0:zero 1:-]700[0:two]}b{800(100.5)}",
     {"f:12:12: 'two=H': expected REGEX=BUFFER_TYPE:LANE"}},
    {"OverridesTwice",
     {{13, "ot=more=H:1"}},
     kGoodMeaning,
     {"f:13:1: expected ot= only as the line after strategy="}},
    // pshard lines and others
    {"PshardLinesInTheWrongPlace",
     {{5, "# pshard tier depth=1"}, {13, "# pshard variant version=1"}, {21, "# pshard later x"}},
     kGoodMeaning,
     {"f:5:1: expected '# pshard section'",
      "f:13:1: expected '# pshard variant' above the tiers",
      "f:21:1: expected '# pshard section'"}},
    {"PshardLineUnreadable",
     {{13, "# pshard tier depth=one"}},
     kGoodMeaning,
     {"f:13:15: 'depth=one': expected a whole number"}},
    {"LinesThatNobodyKnows",
     {{2, "\x01\xff"}, {5, "hello"}, {13, "ot"}, {18, "cand strategy=EXPERT_POOL"}},
     kGoodMeaning,
     {"f:2:1: expected a header",
      "f:5:1: expected a header",
      "f:13:1: expected a header",
      "f:18:1: expected a header"}},
};

INSTANTIATE_TEST_SUITE_P(OneFaultEach, RegistryBad, ValuesIn(kFaults), test::NamedByParameter());

TEST(NotARegistry, IsRefusedWithItsReason) {
    const std::string elf(
        "\x7f"
        "ELF\0\0\0",
        7);
    for (const std::string& text : {elf,
                                    std::string("just a text\n"),
                                    std::string("{\"a\": 1}"),
                                    kGood[0] + "\n" + std::string(1, '\0')}) {
        const auto reading = read_registry(text, "f");
        ASSERT_FALSE(reading.ok()) << text;
        EXPECT_EQ(reading.error().text().find("f: this is not a registry: it "), 0U);
        EXPECT_NE(reading.error().text().find("; delete it, or name another"), std::string::npos);
    }
}

// What an interrupted save of the published planner may leave behind.
TEST(NotARegistry, IsNotSaidOfAnEmptyOrCutOffFile) {
    for (const std::string& text : {std::string(),
                                    std::string("\n \r\n"),
                                    kGood[0].substr(0, 9),
                                    kGood[0],
                                    kGood[0] + "\n",
                                    std::string("[fingerprint=")}) {
        const auto reading = test::value_of(read_registry(text, "f"));
        EXPECT_TRUE(reading.registry.sections.empty());
    }
}

}  // namespace
}  // namespace pshard
