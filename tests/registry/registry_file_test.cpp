#include "registry/registry_file.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/temp_folder.h"
#include "base/units.h"
#include "registry/checksum.h"
#include "registry/goldens.h"
#include "registry/registry_lines.h"
#include "support/testing.h"

namespace pshard {
namespace {

using test::put_text;
using test::TempFolder;
using test::text_in;

const std::string kName = "model.gguf" + std::string(kRegistrySuffix);

class RegistryFile : public testing::Test {
protected:
    const TempFolder folder;
    const std::string path = folder.file(kName);
    RegistrySection added = test::toy_section(2048, 600);
};

RegistryReading loaded(const std::string& path) {
    auto reading = load_registry(path);
    EXPECT_TRUE(reading.ok());
    return reading.ok() ? std::move(reading).value() : RegistryReading{};
}

TEST_F(RegistryFile, IsEmptyWhereThereIsNone) {
    EXPECT_TRUE(loaded(path).registry.sections.empty());
}

TEST_F(RegistryFile, LoadsWhatWasSaved) {
    ASSERT_TRUE(update_registry(path, added).ok());
    EXPECT_EQ(loaded(path).registry, Registry{{sealed(added)}});
    EXPECT_EQ(folder.names(), std::vector<std::string>{kName});
}

TEST_F(RegistryFile, AddsToAPublishedFile) {
    const std::string text = test::golden_text(test::kGoldens[0]);
    put_text(path, text);
    ASSERT_TRUE(update_registry(path, added).ok());
    EXPECT_EQ(text_in(path), text + to_text(sealed(added)));
}

// The same plan again: the file is not written, its time stays.
TEST_F(RegistryFile, IsNotTouchedWithoutNeed) {
    ASSERT_TRUE(update_registry(path, added).ok());
    const auto long_ago = std::filesystem::file_time_type::clock::now() - std::chrono::hours(1);
    std::filesystem::last_write_time(path, long_ago);
    ASSERT_TRUE(update_registry(path, added).ok());
    EXPECT_EQ(std::filesystem::last_write_time(path), long_ago);
    EXPECT_EQ(folder.names(), std::vector<std::string>{kName});
}

// Nothing of what is not a registry is ever overwritten.
TEST_F(RegistryFile, RefusesWhatIsNoRegistry) {
    const std::string large(64 * kMiB + 1, '#');
    for (const std::string& text : {std::string("GGUF\0\0", 6), std::string("my notes\n"), large}) {
        put_text(path, text);
        EXPECT_FALSE(load_registry(path).ok());
        const auto status = update_registry(path, added);
        ASSERT_FALSE(status.ok());
        EXPECT_EQ(status.error().place.file, path);
        EXPECT_TRUE(text_in(path) == text);
        EXPECT_EQ(folder.names(), std::vector<std::string>{kName});
    }
    EXPECT_FALSE(load_registry(folder.file("")).ok());
    EXPECT_FALSE(update_registry(folder.file(""), added).ok());
}

// With a plan for every batch up to the variant's ubatch.
RegistrySection whole_section() {
    RegistrySection section = test::toy_section(2048, 600);
    section.variants[0].tiers.push_back(test::toy_tier(2, 512));
    return section;
}

// The end of a file may be lost anywhere: no number of half a line is used, and no variant that
// lost its last tiers passes for whole.
TEST_F(RegistryFile, UsesNoLineWithoutItsEnd) {
    added = whole_section();
    const std::string whole = to_text(added);
    for (std::size_t n = whole.find("[variant"); n < whole.size(); ++n) {
        const std::string text = whole.substr(0, n);
        put_text(path, text);
        const RegistryReading reading = loaded(path);
        const bool at_an_end = text.ends_with('\n');
        ASSERT_EQ(!reading.warnings.empty() &&
                      reading.warnings.back().message.find("has no end") != std::string::npos,
                  !at_an_end)
            << n;
        if (n <= whole.rfind("ot=")) {
            for (const RegistryVariant& variant : reading.registry.sections[0].variants) {
                ASSERT_TRUE(is_damaged(variant)) << n;
            }
        }
    }
    put_text(path, whole);
    EXPECT_FALSE(is_damaged(loaded(path).registry.sections[0].variants[0]));
}

// A golden that ends in the middle of the override list of its second tier.
TEST_F(RegistryFile, NamesWhatItKeepsOfADamagedFile) {
    const std::string whole = test::golden_text(test::kGoldens[0]);
    const std::string cut = whole.substr(0, whole.find("ot=", whole.find("[tier 1")) + 20);
    put_text(path, cut);
    const auto faults = test::value_of(update_registry(path, added));
    std::string texts;
    for (const Error& fault : faults) texts += fault.text() + "\n";
    EXPECT_THAT(texts, HasSubstr(path + ":6:1: expected tiers up to"));
    EXPECT_THAT(texts, HasSubstr("the tier is not viable"));
    EXPECT_THAT(texts, HasSubstr("cut off"));
    EXPECT_TRUE(text_in(path).starts_with(cut + "\n"));
    EXPECT_TRUE(update_registry(path, test::toy_section(2048, 700)).ok());
    EXPECT_TRUE(text_in(path).starts_with(cut + "\n"));
}

// An edit that the planner writes over is told, with its place in the file that was.
TEST_F(RegistryFile, TellsOfAnEditThatItReplaces) {
    ASSERT_TRUE(update_registry(path, whole_section()).ok());
    std::string edited = text_in(path);
    const std::size_t rate = edited.find(" tps=") + 5;
    edited[rate] = edited[rate] == '9' ? '8' : '9';
    put_text(path, edited);
    const auto told = test::value_of(update_registry(path, whole_section()));
    ASSERT_THAT(told, SizeIs(1));
    EXPECT_THAT(told[0].text(), StartsWith(path + ":8:1: the plan that this checksum stood in"));
    EXPECT_THAT(text_in(path), HasSubstr("# was: "));
    EXPECT_THAT(test::value_of(update_registry(path, whole_section())), IsEmpty());
}

// A line takes more memory than its bytes in the file: blank ones together take one line, and of
// others there is no end that anybody reads.
TEST_F(RegistryFile, OfMoreLinesThanAnyIsNotRead) {
    const std::string start = "# Generated file. Edit at your own risk.\n";
    const std::string blanks(2'000'000, '\n');
    EXPECT_EQ(registry_lines(start + blanks + "#").size(), 3U);
    EXPECT_EQ(registry_lines(start + blanks + "#")[2].place.line, 2'000'002);
    std::string strays = start;
    for (int i = 0; i < 1000; ++i) strays += "x\n";
    put_text(path, strays);
    EXPECT_EQ(loaded(path).warnings.size(), 201U);
    EXPECT_EQ(loaded(path).warnings.back().text(),
              path + ": 800 of such lines are not told one by one");
    put_text(path, start + std::string(300'000, '\n'));
    EXPECT_THAT(load_registry(path).error().text(), HasSubstr("it has more than 300000 lines"));
    EXPECT_FALSE(update_registry(path, added).ok());
}

TEST_F(RegistryFile, HasNothingToNameInASoundFile) {
    for (const test::Golden& golden : test::kGoldens) {
        put_text(path, test::golden_text(golden));
        const auto faults = test::value_of(update_registry(path, whole_section()));
        EXPECT_TRUE(faults.empty()) << faults[0].text();
    }
}

// Every second line ends with CR LF: the lines of others stay byte for byte, and mean the same.
TEST_F(RegistryFile, KeepsMixedLineEnds) {
    const std::string golden = test::golden_text(test::kGoldens[0]);
    std::string mixed;
    for (const RegistryLine& line : registry_lines(golden)) {
        mixed += std::string(line.text) + (line.place.line % 2 == 0 ? "\r\n" : "\n");
    }
    put_text(path, mixed);
    added = whole_section();
    const auto faults = test::value_of(update_registry(path, added));
    EXPECT_TRUE(faults.empty());
    EXPECT_EQ(text_in(path), mixed + to_text(sealed(added)));
    put_text(path, golden + to_text(sealed(added)));
    const Registry same = loaded(path).registry;
    put_text(path, mixed + to_text(sealed(added)));
    EXPECT_EQ(loaded(path).registry, same);
}

TEST_F(RegistryFile, RefusesWhatHasNoWrittenForm) {
    added.variants[0].tiers[0].ot[0].pattern = "a,b";
    EXPECT_EQ(
        update_registry(path, added).error().text(),
        "the variant budget=600 cache_ubatch=512 has no registry form: tier bs=1: its pattern "
        "'a,b' is empty or holds a comma, '=' or blank");
    EXPECT_TRUE(folder.names().empty());
}

TEST_F(RegistryFile, SaysOnceWhyItCannotBeWritten) {
    const auto status = update_registry(folder.file("no/f"), added);
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().text(),
              folder.file("no/f.pshard-tmp") +
                  ": cannot create this temporary file: No such file or directory");
}

// In a child process: saves `n_rounds` times, a budget of its own each time.
pid_t fork_writer(const std::string& path, std::uint32_t n_ctx, std::uint32_t n_rounds) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    bool ok = true;
    for (std::uint32_t round = 1; round <= n_rounds; ++round) {
        ok = ok && update_registry(path, test::toy_section(n_ctx, round)).ok();
    }
    ::_exit(ok ? 0 : 1);
}

bool ended_well(pid_t child) {
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// 4 planners with different settings save 40 times each, at once: all sections are there, each with
// its newest 8 budgets in order.
TEST_F(RegistryFile, LosesNothingToOtherPlanners) {
    constexpr std::uint32_t kRounds = 40;
    std::vector<pid_t> children;
    for (std::uint32_t n_ctx = 1; n_ctx <= 4; ++n_ctx) {
        children.push_back(fork_writer(path, n_ctx, kRounds));
    }
    for (const pid_t child : children) EXPECT_TRUE(ended_well(child));
    const RegistryReading reading = loaded(path);
    EXPECT_EQ(test::warnings_text(reading.warnings), "");
    EXPECT_EQ(reading.registry.sections.size(), 4U);
    for (std::uint32_t n_ctx = 1; n_ctx <= 4; ++n_ctx) {
        const RegistrySection* section =
            test::find_section(reading.registry, test::toy_section(n_ctx, 0).fingerprint);
        ASSERT_NE(section, nullptr) << n_ctx;
        ASSERT_EQ(section->variants.size(), 8U);
        for (std::uint32_t i = 0; i < 8; ++i) {
            const RegistrySection saved = sealed(test::toy_section(n_ctx, kRounds - 7 + i));
            EXPECT_EQ(section->variants[i], saved.variants[0]);
        }
    }
    EXPECT_EQ(folder.names(), std::vector<std::string>{kName});
}

}  // namespace
}  // namespace pshard
