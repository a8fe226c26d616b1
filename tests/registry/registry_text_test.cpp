#include "registry/registry_text.h"
#include "build_paths.h"
#include "registry/checksum.h"
#include "registry/goldens.h"
#include "registry/published_reader.h"
#include "registry/registry_fields.h"
#include "registry/settings.h"
#include "strategy/rules.h"
#include "support/testing.h"

namespace pshard {
namespace {

using test::Golden;

RegistryReading reading_of(const std::string& text) {
    auto reading = read_registry(text, "f");
    EXPECT_TRUE(reading.ok());
    return std::move(reading).value();
}

TEST(RegistryText, ReproducesPublishedFilesByteForByte) {
    for (const Golden& golden : test::kGoldens) {
        const std::string text = test::golden_text(golden);
        ASSERT_FALSE(text.empty()) << golden.name;
        const RegistryReading reading = reading_of(text);
        EXPECT_EQ(test::warnings_text(reading.warnings), "") << golden.name;
        EXPECT_EQ(to_text(reading.registry), text) << golden.name;
    }
}

TEST(RegistryText, ReadsThePublishedFields) {
    const Registry registry = reading_of(test::golden_text(test::kGoldens[0])).registry;
    ASSERT_EQ(registry.sections.size(), 1U);
    const RegistrySection& section = registry.sections[0];
    EXPECT_EQ(section.fingerprint, Hash64{0x4631f6a2d61a332e});
    EXPECT_EQ(section.settings, test::golden_settings(16384));
    ASSERT_EQ(section.variants.size(), 1U);
    EXPECT_EQ(section.variants[0].budget_mib, 8000U);
    EXPECT_EQ(section.variants[0].cache_ubatch, 16384U);
    ASSERT_EQ(section.variants[0].tiers.size(), 8U);
    const RegistryTier& tier = section.variants[0].tiers[2];
    EXPECT_EQ(tier.index, 2);
    EXPECT_EQ(tier.key, TierKey{512});
    EXPECT_TRUE(tier.viable);
    EXPECT_EQ(tier.choice.strategy, Strategy::GpuOnlyLayerPinLayerStream);
    EXPECT_EQ(tier.choice.n_pinned, 22);
    EXPECT_EQ(tier.tps, 573.58);
    EXPECT_EQ(tier.vram_mib, 7894.3);
    EXPECT_EQ(tier.ot.size(), 66U);
    EXPECT_EQ(tier.ot[1], (OverrideItem{"^token_embd", "NULLGPU_Host", 3}));
}

TEST(RegistryText, ReadsBackEveryField) {
    Registry registry;
    registry.sections = {test::toy_section(2048, 600), test::toy_section(4096, 700)};
    SectionSettings forced = test::golden_settings(2048);
    forced.strategy = Strategy::StaticAttnPrio;
    const RegistrySection head = make_section(forced, 1000000);
    registry.sections[0].fingerprint = head.fingerprint;
    registry.sections[0].settings = head.settings;
    registry.sections[0].variants.push_back(test::full_variant());
    RegistryVariant disabled;
    disabled.budget_mib = 4000;
    disabled.cache_ubatch = 512;
    disabled.baseline_vram_mib = 3120.5;
    registry.sections[1].variants.push_back(disabled);
    RegistryTier not_viable;
    not_viable.index = 2;
    not_viable.key = {512};
    not_viable.pshard.bound_by = "budget";
    registry.sections[1].variants[0].tiers.push_back(not_viable);
    registry.sections[0].variants[1].tiers[0].pshard.unknown = {"x=1"};
    const RegistryReading reading = reading_of(to_text(registry));
    EXPECT_EQ(test::warnings_text(reading.warnings), "");
    EXPECT_EQ(reading.registry, registry);
}

// CR before LF, no end of the last line, a variant without ubatch, rates left out, unknown keys.
TEST(RegistryText, ReadsOlderAndForeignForms) {
    const RegistryReading reading = reading_of(
        "# Generated file. Edit at your own risk.\r\n"
        "[fingerprint=0x0123456789abcdef]\r\n"
        "[variant budget=600]\r\n"
        "[tier 0 bs=1]\r\n"
        "strategy=STATIC_ATTNPRIO_ALLMODELS n_pinned=1 n_attn_pinned=4 overflow=NONE  lanes=2 "
        "output_on_gpu=0 pin_from_back=0\r\n"
        "ot=a=B:0\r\n"
        "# a remark\r\n"
        "[tier 1 bs=16] not_viable");
    EXPECT_EQ(test::warnings_text(reading.warnings),
              "f:5:78: 'lanes=2' is not known here; not used\n");
    const RegistryVariant& variant = reading.registry.sections.at(0).variants.at(0);
    EXPECT_EQ(variant.cache_ubatch, 0U);
    ASSERT_EQ(variant.tiers.size(), 2U);
    EXPECT_TRUE(variant.tiers[0].viable);
    EXPECT_EQ(variant.tiers[0].tps, 0);
    EXPECT_FALSE(variant.tiers[1].viable);
}

// We set no limit on the length of a line [A38].
TEST(RegistryText, ReadsLinesOfAnyLength) {
    RegistrySection section = test::toy_section(2048, 600);
    std::vector<OverrideItem>& ot = section.variants[0].tiers[0].ot;
    for (int layer = 0; layer < 1000; ++layer) {
        ot.push_back({"blk\\." + std::to_string(layer) + "\\..*", "CUDA_Host", layer % 3});
    }
    const RegistryReading reading = reading_of(to_text(Registry{{section}}));
    EXPECT_EQ(reading.registry.sections.at(0), section);
}

// The published reader sees in our file what it would see without the pshard lines.
TEST(RegistryText, PshardLinesAreNothingToThePublishedReader) {
    RegistrySection section = test::toy_section(2048, 600);
    section.variants.push_back(test::full_variant());
    RegistrySection bare = section;
    bare.pshard = {};
    for (RegistryVariant& variant : bare.variants) {
        variant.pshard = {};
        for (RegistryTier& tier : variant.tiers) tier.pshard = {};
    }
    const std::string fingerprint = to_text(section.fingerprint);
    const auto seen = test::read_as_published(to_text(Registry{{section}}), fingerprint);
    EXPECT_EQ(seen, test::read_as_published(to_text(Registry{{bare}}), fingerprint));
    ASSERT_EQ(seen.size(), 2U);
    EXPECT_EQ(seen[1].budget, 600U);
    EXPECT_EQ(seen[1].cache_ubatch, 2048U);
    ASSERT_EQ(seen[1].tiers.size(), 2U);
    EXPECT_EQ(seen[1].tiers[0].strategy, "GPUONLY_ATTNPIN_FFNSTREAM");
    EXPECT_EQ(seen[1].tiers[0].tps, 12.5);
    EXPECT_EQ(seen[1].tiers[0].overrides,
              (std::vector<std::string>{"^output>3", "blk\\.0\\..*>0"}));
    EXPECT_NE(to_text(section), to_text(bare));
}

// Both readers agree on the files of the published planner.
TEST(RegistryText, AgreesWithThePublishedReader) {
    for (const Golden& golden : test::kGoldens) {
        const std::string text = test::golden_text(golden);
        const RegistrySection section = reading_of(text).registry.sections.at(0);
        const auto seen = test::read_as_published(text, to_text(section.fingerprint));
        ASSERT_EQ(seen.size(), 1U);
        ASSERT_EQ(seen[0].tiers.size(), section.variants[0].tiers.size());
        for (std::size_t i = 0; i < seen[0].tiers.size(); ++i) {
            const RegistryTier& tier = section.variants[0].tiers[i];
            EXPECT_EQ(seen[0].tiers[i].bs, tier.key.n_tokens);
            EXPECT_EQ(seen[0].tiers[i].strategy, strategy_name(tier.choice.strategy));
            EXPECT_EQ(seen[0].tiers[i].n_attn_pinned, unsigned(tier.choice.n_attn_pinned));
            EXPECT_EQ(seen[0].tiers[i].vram, tier.vram_mib);
            EXPECT_EQ(seen[0].tiers[i].overrides.size(), tier.ot.size());
        }
    }
}

struct Unwritable {
    const char* part_of_message;
    void (*spoil)(RegistryVariant&);
};

TEST(CheckWritable, RefusesWhatThePublishedReaderWouldNotReadBack) {
    const std::array cases = {
        Unwritable{"comma", [](RegistryVariant& v) { v.tiers[1].ot[0].pattern = "a,b"; }},
        Unwritable{"comma", [](RegistryVariant& v) { v.tiers[1].ot[0].pattern = "a=b"; }},
        Unwritable{"empty", [](RegistryVariant& v) { v.tiers[1].ot[0].pattern = ""; }},
        Unwritable{"blank", [](RegistryVariant& v) { v.tiers[1].ot[0].pattern = "a\nstrategy"; }},
        Unwritable{"buffer type", [](RegistryVariant& v) { v.tiers[1].ot[0].buffer_type = ""; }},
        Unwritable{"negative", [](RegistryVariant& v) { v.tiers[1].ot[0].lane = -1; }},
        Unwritable{"override list", [](RegistryVariant& v) { v.tiers[1].ot.clear(); }},
        Unwritable{
            "pshard.plan",
            [](RegistryVariant& v) { v.tiers[1].choice.strategy = Strategy::StaticFitParams; }},
        Unwritable{"not a number", [](RegistryVariant& v) { v.tiers[1].tps = 0.0 / 0.0; }},
        Unwritable{"one word", [](RegistryVariant& v) { v.tiers[1].pshard.bound_by = "the link"; }},
        Unwritable{"ascend", [](RegistryVariant& v) { v.tiers[1].index = 0; }},
        Unwritable{"ascend", [](RegistryVariant& v) { v.tiers[1].key.n_tokens = 1; }},
        Unwritable{"ascend", [](RegistryVariant& v) { v.tiers[1].key.n_tokens = 513; }},
        Unwritable{"budget", [](RegistryVariant& v) { v.budget_mib = 0; }},
        Unwritable{"has tiers", [](RegistryVariant& v) { v.baseline_vram_mib = 1; }},
    };
    EXPECT_TRUE(check_writable(test::toy_section(2048, 600)).ok());
    for (const Unwritable& c : cases) {
        RegistrySection section = test::toy_section(2048, 600);
        c.spoil(section.variants[0]);
        const Status status = check_writable(section);
        ASSERT_FALSE(status.ok()) << c.part_of_message;
        EXPECT_NE(status.error().message.find(c.part_of_message), std::string::npos)
            << status.error().message;
    }
}

// docs/formats/registry.md holds what the code does.

std::string document() {
    return test::text_in(std::string(PSHARD_SOURCE_DIR) + "/docs/formats/registry.md");
}

std::string example() {
    const std::string text = document();
    const std::size_t begin = text.find("```\n", text.find("\n## Example\n")) + 4;
    return text.substr(begin, text.find("```", begin) - begin);
}

TEST(RegistryDocument, ItsExampleIsARegistry) {
    const auto reading = test::value_of(read_registry(example(), "registry.md"));
    EXPECT_EQ(test::warnings_text(reading.warnings), "");
    EXPECT_EQ(to_text(reading.registry), example());
    const RegistrySection& section = reading.registry.sections.at(0);
    EXPECT_TRUE(check_writable(section).ok());
    EXPECT_EQ(to_text(sealed(section)), to_text(section));
    EXPECT_EQ(section.fingerprint,
              published_fingerprint(section.settings.value(), section.pshard.file_bytes.value()));
    ASSERT_EQ(section.variants.size(), 2U);
    EXPECT_EQ(section.variants[0].tiers.size(), 3U);
    EXPECT_EQ(section.variants[0].tiers[0].pshard.plan.value().strategy, Strategy::StaticFitParams);
    EXPECT_EQ(section.variants[1].baseline_vram_mib, 3120.5);
}

// Each key of a pshard line has a row in a table of the document.
template <typename Record>
void expect_rows(const std::string& text, Fields<Record> fields) {
    for (const Field<Record>& field : fields) {
        EXPECT_NE(text.find(fmt::format("\n| `{}` | ", field.key)), std::string::npos) << field.key;
    }
}

TEST(RegistryDocument, NamesEveryPshardKey) {
    expect_rows<PshardSection>(document(), kPshardSectionFields);
    expect_rows<PshardVariant>(document(), kPshardVariantFields);
    expect_rows<PshardTier>(document(), kPshardTierFields);
}

}  // namespace
}  // namespace pshard
