// docs/formats/registry.md holds what the code does.
#include <gtest/gtest.h>

#include "build_paths.h"
#include "registry/goldens.h"
#include "registry/registry_fields.h"
#include "registry/registry_text.h"
#include "registry/settings.h"

namespace pshard {
namespace {

std::string document() {
    return test::text_in(std::string(PSHARD_SOURCE_DIR) + "/docs/formats/registry.md");
}

std::string example() {
    const std::string text = document();
    const std::size_t begin = text.find("```\n", text.find("\n## Example\n")) + 4;
    return text.substr(begin, text.find("```", begin) - begin);
}

TEST(RegistryDocument, ItsExampleIsARegistry) {
    const auto reading = read_registry(example(), "registry.md");
    ASSERT_TRUE(reading.ok());
    EXPECT_EQ(test::warnings_text(reading.value().warnings), "");
    EXPECT_EQ(to_text(reading.value().registry), example());
    const RegistrySection& section = reading.value().registry.sections.at(0);
    EXPECT_TRUE(check_writable(section).ok());
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
