#include "registry/checksum.h"
#include "registry/goldens.h"
#include "registry/published_reader.h"
#include "registry/registry_text.h"
#include "support/testing.h"

namespace pshard {
namespace {

// A section with one variant of two tiers, which ends at the variant's ubatch.
RegistrySection written_section() {
    RegistrySection section = test::toy_section(2048, 600);
    section.variants[0].cache_ubatch = 16;
    return sealed(std::move(section));
}

class Checksum : public testing::Test {
protected:
    std::string text_ = to_text(Registry{{written_section()}});

    void replace(const std::string& from, const std::string& to) {
        const std::size_t at = text_.find(from);
        ASSERT_NE(at, text_.npos) << from;
        text_.replace(at, from.size(), to);
    }

    RegistryReading read() const { return test::value_of(read_registry(text_, "f")); }

    RegistryVariant variant() const { return read().registry.sections.at(0).variants.at(0); }
};

// Lines 1 to 8: first line, blank, fingerprint, settings, file_bytes, blank, variant, checksum.
constexpr const char* kAltered =
    "f:7:1: this plan was changed after it was written, as its checksum in line 8 tells, so it is "
    "not used: plan again, or delete line 8 if the change is yours\n";

TEST_F(Checksum, IsALineOfItsOwn) {
    EXPECT_THAT(text_,
                HasSubstr(fmt::format("]\n# pshard variant checksum={}\n[tier 0",
                                      to_text(*written_section().variants[0].pshard.checksum))));
    EXPECT_EQ(test::warnings_text(read().warnings), "");
    EXPECT_EQ(read().registry, Registry{{written_section()}});
    EXPECT_FALSE(is_damaged(variant()));
}

// Of two checksums, one of them right, nobody knows which was written.
TEST_F(Checksum, StandsOnce) {
    const std::size_t line = text_.find("# pshard variant checksum=");
    const std::string checksum = text_.substr(line, text_.find('\n', line) + 1 - line);
    replace(checksum, checksum + checksum);
    EXPECT_THAT(test::warnings_text(read().warnings), HasSubstr(kAltered));
}

TEST_F(Checksum, HoldsAllLinesOfTheVariant) {
    for (const auto& [from, to] : {std::pair{"n_pinned=1", "n_pinned=2"},
                                   std::pair{"tps=12.50", "tps=12.51"},
                                   std::pair{"bs=1]", "bs=2]"},
                                   std::pair{"budget=600", "budget=601"},
                                   std::pair{"^output=CUDA_Host:3", "^output=CUDA_Host:0"},
                                   std::pair{"checksum=0x", "checksum=0xg"},
                                   std::pair{"\n[tier 1", "\n# pshard tier tps_full=1\n[tier 1"}}) {
        const std::string before = text_;
        replace(from, to);
        EXPECT_THAT(test::warnings_text(read().warnings), HasSubstr(kAltered)) << from;
        EXPECT_TRUE(is_damaged(variant())) << from;
        EXPECT_EQ(variant().altered->line, 8) << from;
        text_ = before;
    }
}

// A pair beside the checksum is none of the lines that were written, and moves no checksum out of
// sight.
TEST_F(Checksum, HoldsWhatStandsOnItsLine) {
    const std::string begin = "# pshard variant checksum=";
    const std::string sum = to_text(*written_section().variants[0].pshard.checksum);
    const std::string before = text_;
    for (const std::string& line : {"# pshard variant checksum=" + sum + " shared=1",
                                    "# pshard variant checksum=" + sum + " all_weights=" + sum,
                                    "# pshard variant checksum=" + sum + " checksum=" + sum,
                                    "# pshard variant shared=1 checksum=" + sum,
                                    "# pshard variant  checksum=" + to_text(Hash64{7})}) {
        replace(begin + sum, line);
        EXPECT_THAT(test::warnings_text(read().warnings), HasSubstr(kAltered)) << line;
        EXPECT_TRUE(is_damaged(variant())) << line;
        text_ = before;
    }
    replace(begin, "# pshard  variant  checksum=");
    EXPECT_EQ(test::warnings_text(read().warnings), "");
}

TEST_F(Checksum, HoldsForOneSection) {
    replace(to_text(written_section().fingerprint), "0x0000000000000007");
    EXPECT_THAT(test::warnings_text(read().warnings), HasSubstr(kAltered));
    EXPECT_TRUE(is_damaged(variant()));
}

// What people write beside a plan is no change of it.
TEST_F(Checksum, LeavesOutRemarksAndLineEnds) {
    replace("[tier 1", "\n# for the laptop\n[tier 1");
    text_ += "\n# the end\n";
    for (std::size_t at = 0; (at = text_.find('\n', at)) != text_.npos; at += 2) {
        text_.insert(at, "\r");
    }
    EXPECT_EQ(test::warnings_text(read().warnings), "");
    EXPECT_FALSE(is_damaged(variant()));
}

// Whoever edits a plan on purpose deletes the line.
TEST_F(Checksum, MayBeDeleted) {
    const std::size_t begin = text_.find("# pshard variant checksum=");
    text_.erase(begin, text_.find('\n', begin) + 1 - begin);
    replace("n_pinned=1", "n_pinned=2");
    EXPECT_EQ(test::warnings_text(read().warnings), "");
    EXPECT_FALSE(is_damaged(variant()));
    EXPECT_EQ(variant().tiers[0].choice.n_pinned, 2);
}

TEST_F(Checksum, IsNothingToThePublishedReader) {
    RegistrySection bare = written_section();
    bare.variants[0].pshard.checksum.reset();
    const std::string fingerprint = to_text(bare.fingerprint);
    EXPECT_EQ(test::read_as_published(text_, fingerprint),
              test::read_as_published(to_text(Registry{{bare}}), fingerprint));
}

// The comments below a fingerprint say what it was made of.
TEST(SectionSettings, AreNotUsedBesideAnotherFingerprint) {
    const std::string good = to_text(Registry{{written_section()}});
    const auto warnings_with = [&](const std::string& from, const std::string& to) {
        std::string text = good;
        text.replace(text.find(from), from.size(), to);
        const auto reading = test::value_of(read_registry(text, "f"));
        EXPECT_EQ(reading.registry.sections.at(0).settings, std::nullopt);
        return test::warnings_text(reading.warnings);
    };
    const char* expected = "f:3:1: expected below the settings and file_bytes that this";
    EXPECT_THAT(warnings_with("n_seq_max=1", "n_seq_max=2"), HasSubstr(expected));
    EXPECT_THAT(warnings_with("file_bytes=1", "file_bytes=2"), HasSubstr(expected));
    EXPECT_THAT(warnings_with("# n_ctx", "# n_ctw"), HasSubstr(expected));
    EXPECT_THAT(warnings_with("# pshard section", "# pshard sectiom"), HasSubstr(expected));
}

// Plans without a checksum, as the published planner writes them: what no machine and no model has
// is not used.
TEST(Ranges, HoldWithoutAChecksum) {
    RegistrySection section = test::toy_section(2048, 600);
    section.variants[0].cache_ubatch = 16;
    const std::string good = to_text(Registry{{section}});
    for (const auto& [from, to] : {std::pair{"n_pinned=1", "n_pinned=-2147483648"},
                                   std::pair{"n_pinned=1", "n_pinned=4097"},
                                   std::pair{"n_attn_pinned=0", "n_attn_pinned=-1"},
                                   std::pair{"bs=1]", "bs=0]"},
                                   std::pair{"bs=1]", "bs=16]"},
                                   std::pair{"bs=1]", "bs=17]"},
                                   std::pair{"bs=16]", "bs=4294967295]"},
                                   std::pair{"bs=16]", "bs=1073741825]"},
                                   std::pair{"budget=600", "budget=0"},
                                   std::pair{"budget=600", "budget=4294967295"},
                                   std::pair{"cache_ubatch=16", "cache_ubatch=1073741825"},
                                   std::pair{"cache_ubatch=16", "cache_ubatch=15"},
                                   std::pair{"tps=12.50", "tps=1e13"},
                                   std::pair{"vram=512.5", "vram=67108865"},
                                   std::pair{"vram=512.5", "vram=inf"}}) {
        std::string text = good;
        text.replace(text.find(from), std::string(from).size(), to);
        const auto reading = test::value_of(read_registry(text, "f"));
        EXPECT_FALSE(reading.warnings.empty()) << to;
        for (const RegistryVariant& variant : reading.registry.sections.at(0).variants) {
            EXPECT_TRUE(is_damaged(variant) || variant.tiers.size() < 2) << to;
        }
    }
}

}  // namespace
}  // namespace pshard
