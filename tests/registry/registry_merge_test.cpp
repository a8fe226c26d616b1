#include "registry/registry_merge.h"
#include "registry/checksum.h"
#include "registry/goldens.h"
#include "registry/published_reader.h"
#include "registry/registry_text.h"
#include "support/testing.h"

namespace pshard {
namespace {

class MergedRegistry : public testing::Test {
protected:
    RegistrySection added = test::toy_section(2048, 600);
};

std::vector<std::uint32_t> budgets_of(const std::string& text, Hash64 fingerprint) {
    const auto reading = read_registry(text, "f");
    EXPECT_TRUE(reading.ok());
    EXPECT_EQ(test::warnings_text(reading.value().warnings), "");
    std::vector<std::uint32_t> budgets;
    const RegistrySection* section = test::find_section(reading.value().registry, fingerprint);
    if (section == nullptr) return budgets;
    for (const RegistryVariant& variant : section->variants) budgets.push_back(variant.budget_mib);
    return budgets;
}

TEST_F(MergedRegistry, BeginsAFile) {
    const std::string expected = to_text(Registry{{added}});
    EXPECT_EQ(merged_registry("", added), expected);
    EXPECT_EQ(merged_registry("# Generated file. Ed", added), expected);
    EXPECT_EQ(merged_registry("# Generated file. Edit at your own risk.\n", added), expected);
    EXPECT_EQ(merged_registry(expected, added), expected);
}

// Strange lines and line ends in a foreign section stay as they are.
TEST_F(MergedRegistry, KeepsForeignSectionsByteForByte) {
    const std::string foreign =
        "\r\n[fingerprint=0x00000000000000aa]\r\n# n_ctx=01\r\nhello  \r\n[variant budget=1]\r\n"
        "[tier 0 bs=1]\r\nstrategy=NOT_KNOWN\r\n[tire]\r\not==\r\n";
    const std::string text = "# Generated file. Edit at your own risk.\n# mine\n" + foreign;
    EXPECT_EQ(merged_registry(text, added), text + to_text(added));
}

TEST_F(MergedRegistry, EndsAnUnfinishedLastLine) {
    const std::string text = "# Generated file. Edit at your own risk.\n[fingerprint=0x12";
    EXPECT_EQ(merged_registry(text, added), text + "\n" + to_text(added));
}

// The section that is saved moves behind the others; its old variants and remarks stay, in their
// order.
TEST_F(MergedRegistry, ReplacesOneVariantOnly) {
    const RegistrySection first = test::toy_section(2048, 600);
    const RegistrySection other = test::toy_section(4096, 600);
    std::string text = merged_registry("", first);
    text = merged_registry(text, test::toy_section(2048, 700)) + "# about 700\n";
    text = merged_registry(text, other);

    RegistrySection changed = test::toy_section(2048, 600);
    changed.variants[0].tiers[0].tps = 99.25;
    const std::string merged = merged_registry(text, changed);
    EXPECT_EQ(merged,
              "# Generated file. Edit at your own risk.\n" + to_text(other) + head_text(first) +
                  to_text(test::toy_variant(700, 512)) + "# about 700\n" +
                  to_text(changed.variants[0]));
    EXPECT_EQ(merged_registry(merged, changed), merged);
}

// A user's comments stay with the budget that they are about; other lines were of the old plan.
TEST_F(MergedRegistry, KeepsTheCommentsOfAVariantThatItReplaces) {
    std::string text = merged_registry("", added);
    text.insert(text.find("[tier 1"), "# in the middle\n");
    text += "cand strategy=EXPERT_POOL\n\n# behind the last variant";
    added.variants[0].tiers[0].tps = 99.25;
    const std::string merged = merged_registry(text, added);
    EXPECT_EQ(merged, to_text(Registry{{added}}) + "# in the middle\n# behind the last variant\n");
    EXPECT_EQ(merged_registry(merged, added), merged);
}

// Between blanks, or like a line of ours at first sight.
TEST_F(MergedRegistry, KeepsCommentsOfAnyLook) {
    const std::string remarks = "\t# indented\n# pshard is good\n#\n";
    const std::string text = merged_registry("", added) + remarks;
    EXPECT_EQ(merged_registry(text, added), to_text(Registry{{added}}) + remarks);
}

// Somebody has edited a plan and left its checksum: what the lines were can still be read.
TEST_F(MergedRegistry, KeepsAnEditedVariantAsComments) {
    const RegistrySection sound = sealed(added);
    std::string text = merged_registry("", sound);
    EXPECT_THAT(replaced_edits(text, sound, "f"), IsEmpty());
    EXPECT_THAT(merged_registry(text, sound), Not(HasSubstr("# was")));
    const std::size_t pinned = text.find("n_pinned=1");
    ASSERT_NE(pinned, text.npos);
    text.replace(pinned, 10, "n_pinned=2");
    text += "# mine\n";
    const auto edits = replaced_edits(text, sound, "f");
    ASSERT_THAT(edits, SizeIs(1));
    EXPECT_THAT(edits[0].text(),
                StartsWith("f:8:1: the plan that this checksum stood in was changed"));
    const std::string merged = merged_registry(text, sound);
    EXPECT_THAT(merged, HasSubstr("\n# was: [variant budget=600"));
    EXPECT_THAT(merged, HasSubstr(" n_pinned=2 "));
    EXPECT_THAT(merged, EndsWith("# mine\n"));
    EXPECT_EQ(budgets_of(merged, added.fingerprint), std::vector<std::uint32_t>{600});
    EXPECT_EQ(merged_registry(merged, sound), merged);
    EXPECT_THAT(replaced_edits(merged, sound, "f"), IsEmpty());
    EXPECT_THAT(replaced_edits(text, sealed(test::toy_section(2048, 700)), "f"), IsEmpty());
}

RegistrySection section_for(std::uint64_t weights, std::uint32_t budget_mib, double tps = 12.5) {
    RegistrySection section = test::toy_section(2048, budget_mib);
    section.variants[0].pshard.weights = Hash64{weights};
    section.variants[0].tiers[0].tps = tps;
    return section;
}

// Two new ones take the place of an old one that does not say its weights.
TEST_F(MergedRegistry, KeepsACommentOnce) {
    const std::string text = merged_registry("", added) + "# mine\n";
    RegistrySection two = section_for(1, 600);
    two.variants.push_back(section_for(2, 600).variants[0]);
    EXPECT_EQ(merged_registry(text, two),
              "# Generated file. Edit at your own risk.\n" + head_text(added) +
                  to_text(two.variants[0]) + "# mine\n" + to_text(two.variants[1]));
}

// Two quantizations of a split model, whose first file is a stub, have one fingerprint.
TEST_F(MergedRegistry, KeepsThePlansOfOtherWeights) {
    std::string text = merged_registry("", section_for(1, 600));
    text = merged_registry(text, section_for(2, 600));
    text = merged_registry(text, section_for(1, 600, 99.25));
    const RegistrySection head = section_for(1, 600);
    EXPECT_EQ(text,
              "# Generated file. Edit at your own risk.\n" + head_text(head) +
                  to_text(section_for(2, 600).variants[0]) +
                  to_text(section_for(1, 600, 99.25).variants[0]));
    // One that does not say its weights is replaced, and replaces, as before.
    text = merged_registry(text, test::toy_section(2048, 600));
    EXPECT_EQ(text, to_text(Registry{{added}}));
    EXPECT_EQ(merged_registry(text, section_for(1, 600)), to_text(Registry{{section_for(1, 600)}}));
}

// The published loader asks for no weights: of two such variants it takes the older.
TEST_F(MergedRegistry, OfTwoWeightsIsTheOldestToThePublishedLoader) {
    std::string text = merged_registry("", section_for(1, 600, 11));
    text = merged_registry(text, section_for(2, 600, 22));
    const auto seen = test::read_as_published(text, to_text(added.fingerprint));
    ASSERT_EQ(seen.size(), 2U);
    const test::PublishedVariant* taken = test::taken_as_published(seen, 700);
    ASSERT_NE(taken, nullptr);
    EXPECT_EQ(taken->tiers[0].tps, 11);
    EXPECT_EQ(test::taken_as_published(seen, 599), nullptr);
    // With the second one's budget it takes the larger.
    text = merged_registry(text, section_for(2, 650, 33));
    const auto more = test::read_as_published(text, to_text(added.fingerprint));
    EXPECT_EQ(test::taken_as_published(more, 700)->tiers[0].tps, 33);
}

TEST_F(MergedRegistry, HasEightVariantsOfEachWeights) {
    std::string text = merged_registry("", section_for(1, 600));
    for (std::uint32_t budget = 1; budget <= 10; ++budget) {
        text = merged_registry(text, section_for(2, budget));
    }
    EXPECT_EQ(budgets_of(text, added.fingerprint),
              (std::vector<std::uint32_t>{600, 3, 4, 5, 6, 7, 8, 9, 10}));
    for (std::uint64_t weights = 3; weights <= 100; ++weights) {
        text = merged_registry(text, section_for(weights, 600));
    }
    EXPECT_EQ(budgets_of(text, added.fingerprint).size(), kMaxVariants * kMaxModels);
}

TEST_F(MergedRegistry, TakesAnotherUbatchForAnotherVariant) {
    const RegistrySection section = test::toy_section(2048, 600);
    RegistrySection same_budget = section;
    same_budget.variants[0].cache_ubatch = 1024;
    const std::string text = merged_registry(merged_registry("", section), same_budget);
    EXPECT_EQ(budgets_of(text, section.fingerprint), (std::vector<std::uint32_t>{600, 600}));
}

TEST_F(MergedRegistry, AddsOurLineToAPublishedSection) {
    const test::Golden& golden = test::kGoldens[1];
    added = make_section(test::golden_settings(golden.n_ctx), golden.file_bytes);
    added.variants = {test::toy_variant(600, 512)};
    const std::string text = test::golden_text(golden);
    const std::string merged = merged_registry(text, added);
    const std::size_t variant = text.find("\n[variant");
    EXPECT_EQ(merged,
              text.substr(0, variant) + "# pshard section file_bytes=12096587456\n" +
                  text.substr(variant) + to_text(added.variants[0]));
    // The published reader finds its own variant and ours.
    const auto seen = test::read_as_published(merged, to_text(added.fingerprint));
    ASSERT_EQ(seen.size(), 2U);
    EXPECT_EQ(seen[0], test::read_as_published(text, to_text(added.fingerprint)).at(0));
    EXPECT_EQ(seen[1].budget, 600U);
}

TEST_F(MergedRegistry, UnitesSectionsWithTheSameFingerprint) {
    const RegistrySection a = test::toy_section(2048, 600);
    const RegistrySection b = test::toy_section(2048, 700);
    const std::string text = to_text(Registry{{a, b}});
    const std::string merged = merged_registry(text, test::toy_section(2048, 800));
    EXPECT_EQ(budgets_of(merged, a.fingerprint), (std::vector<std::uint32_t>{600, 700, 800}));
}

// Lines that we do not know stay in the head of the section that is saved, and those of a second
// head join it.
TEST_F(MergedRegistry, KeepsRemarksInTheHead) {
    const std::string head = head_text(added);
    const std::string text = "# Generated file. Edit at your own risk.\n" + head + "# first\n" +
                             to_text(added.variants[0]) + head + "# second\n";
    EXPECT_EQ(merged_registry(text, added),
              "# Generated file. Edit at your own risk.\n" + head + "# first\n# second\n" +
                  to_text(added.variants[0]));
}

// A save mends the lines that explain the fingerprint; what later versions and people wrote stays.
TEST_F(MergedRegistry, MendsAHeadThatWasChanged) {
    added = sealed(std::move(added));
    RegistrySection later = added;
    later.pshard.unknown = {"colour=blue"};
    const std::string first = "# Generated file. Edit at your own risk.\n";
    const std::string variant = to_text(added.variants[0]);
    const std::string good = first + head_text(later) + "# mine\n" + variant;
    EXPECT_EQ(merged_registry(good, added), good);
    for (const auto& [from, to] :
         {std::pair{"n_seq_max=1", "n_seq_max=2"},
          std::pair{"file_bytes=1", "file_bytes=2"},
          std::pair{"file_bytes=1", "file_bytes=x"},
          std::pair{"# pshard section", "# pshard section file_bytes=5\n# pshard section"},
          std::pair{"# pshard section", "# n_ctx=7\n# pshard section"}}) {
        std::string text = good;
        text.replace(text.find(from), std::string(from).size(), to);
        EXPECT_EQ(merged_registry(text, added), good) << to;
    }
    for (const auto& [from, to] :
         {std::pair{"# n_ctx", "# n_ctw"}, std::pair{"# pshard section", "# pshard sectiom"}}) {
        std::string text = good;
        text.replace(text.find(from), std::string(from).size(), to);
        const auto reading = test::value_of(read_registry(merged_registry(text, added), "f"));
        EXPECT_EQ(test::warnings_text(reading.warnings), "") << to;
        EXPECT_EQ(reading.registry.sections.at(0).settings, added.settings) << to;
    }
}

// A damaged variant of the section that is saved is kept, and counts.
TEST_F(MergedRegistry, KeepsDamagedVariants) {
    const std::string damaged = "\n[variant budget=x]\n[tier 0 bs=1]\nstrategy=what\n";
    const std::string text = to_text(Registry{{added}}) + damaged;
    const std::string merged = merged_registry(text, added);
    EXPECT_EQ(merged,
              "# Generated file. Edit at your own risk.\n" + head_text(added) + damaged +
                  to_text(added.variants[0]));
}

TEST_F(MergedRegistry, DropsTheOldestVariantsBeyondEight) {
    std::string text;
    const Hash64 fingerprint = test::toy_section(2048, 0).fingerprint;
    for (std::uint32_t budget = 1; budget <= 10; ++budget) {
        text = merged_registry(text, test::toy_section(2048, budget));
    }
    EXPECT_EQ(budgets_of(text, fingerprint), (std::vector<std::uint32_t>{3, 4, 5, 6, 7, 8, 9, 10}));
    text = merged_registry(text, test::toy_section(2048, 4));
    EXPECT_EQ(budgets_of(text, fingerprint), (std::vector<std::uint32_t>{3, 5, 6, 7, 8, 9, 10, 4}));
}

TEST_F(MergedRegistry, DropsTheOldestSectionsBeyondTen) {
    std::string text;
    for (std::uint32_t n_ctx = 1; n_ctx <= 12; ++n_ctx) {
        text = merged_registry(text, test::toy_section(n_ctx, 600));
    }
    std::vector<std::uint32_t> contexts;
    const auto reading = read_registry(text, "f");
    for (const RegistrySection& section : reading.value().registry.sections) {
        contexts.push_back(section.settings->n_ctx);
    }
    EXPECT_EQ(contexts, (std::vector<std::uint32_t>{3, 4, 5, 6, 7, 8, 9, 10, 11, 12}));
}

// Unknown pairs in pshard lines, of a later version of us, survive a save of another variant.
TEST_F(MergedRegistry, KeepsPshardLinesOfLaterVersions) {
    RegistrySection later = test::toy_section(2048, 600);
    later.pshard.unknown = {"colour=blue"};
    later.variants[0].pshard.unknown = {"version=2"};
    later.variants[0].tiers[1].pshard.unknown = {"taste=sweet"};
    const std::string text =
        merged_registry(to_text(Registry{{later}}), test::toy_section(2048, 700));
    for (const char* pair : {" colour=blue\n", " version=2\n", " taste=sweet\n"}) {
        EXPECT_NE(text.find(pair), std::string::npos) << pair;
    }
}

}  // namespace
}  // namespace pshard
