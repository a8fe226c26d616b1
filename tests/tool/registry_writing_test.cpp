// What the planner does to a registry that is already there.
#include <csignal>
#include <random>

#include <gmock/gmock.h>

#include "registry/registry_file.h"
#include "tool/run_tool.h"

namespace pshard::test {
namespace {

using ::testing::HasSubstr;

class RegistryWriting : public ToolTest {};

constexpr std::string_view kForeign =
    "# Generated file. Edit at your own risk.\n\n"
    "[fingerprint=0x0123456789abcdef]\n"
    "# n_ctx=2048 n_seq_max=1 n_threads=8 fa=on type_k=1 type_v=1 strategy=auto\n\n"
    "[variant budget=600 cache_ubatch=2048]\n"
    "pshard_disabled=1 baseline_vram=520.5\n";

TEST_F(RegistryWriting, TwoRunsGiveTheSameBytes) {
    ASSERT_EQ(run(planning()).exit_code, 0);
    const std::string first = read_text(registry());
    ASSERT_EQ(run(planning()).exit_code, 0);
    EXPECT_EQ(read_text(registry()), first);
}

TEST_F(RegistryWriting, OtherSectionsAndVariantsSurvive) {
    std::ofstream(registry()) << kForeign;
    ASSERT_EQ(run(planning()).exit_code, 0);
    ASSERT_EQ(run({"-m", model_, "-c", "4096", "-fa", "on", "-mva", "1800"}).exit_code, 0);
    EXPECT_TRUE(read_text(registry()).starts_with(kForeign));
    const Result<RegistryReading> reading = load_registry(registry());
    ASSERT_TRUE(reading.ok());
    ASSERT_EQ(reading.value().registry.sections.size(), 2U);
    EXPECT_EQ(reading.value().registry.sections[1].variants.size(), 2U);
}

TEST_F(RegistryWriting, GoesWhereItIsTold) {
    const std::string path = folder_ / "other.registry";
    ASSERT_EQ(run(planning({"--registry", path})).exit_code, 0);
    EXPECT_TRUE(std::filesystem::exists(path));
    EXPECT_FALSE(std::filesystem::exists(registry()));
}

TEST_F(RegistryWriting, WhatIsNoRegistryStaysAsItIs) {
    const std::string path = folder_ / "notes.txt";
    std::ofstream(path) << "my notes\n";
    const ToolRun tool = run(planning({"--registry", path}));
    EXPECT_EQ(tool.exit_code, 1);
    EXPECT_THAT(tool.err, HasSubstr("is not a registry"));
    EXPECT_EQ(read_text(path), "my notes\n");
}

// The variant of another budget ends in its second tier.
TEST_F(RegistryWriting, NamesWhatItKeepsOfADamagedRegistry) {
    ASSERT_EQ(run(planning()).exit_code, 0);
    const std::string whole = read_text(registry());
    const std::string cut = whole.substr(0, whole.find("strategy=", whole.find("[tier 1")) + 30);
    std::ofstream(registry()) << cut;
    const ToolRun tool = run({"-m", model_, "-c", "4096", "-fa", "on", "-mva", "1800"});
    EXPECT_EQ(tool.exit_code, 0);
    EXPECT_THAT(tool.err, HasSubstr("warning: " + registry().string() + ":7:1: expected tiers up"));
    EXPECT_THAT(tool.err, HasSubstr("; it is kept as it is"));
    EXPECT_TRUE(read_text(registry()).starts_with(cut + "\n"));
}

// Another process holds the lock until the planner has said that it waits, at most 20 s.
TEST_F(RegistryWriting, SaysWhatItWaitsFor) {
    const std::string lock = registry().string() + ".pshard-tmp";
    const std::string said = quoted(folder_ / "err");
    const std::string until_said =
        fmt::format("for i in $(seq 200); do grep -q waiting {} && break; sleep 0.1; done", said);
    const std::string hold =
        fmt::format("flock {} bash -c {} & sleep 0.2; ({}) 2>{} >/dev/null; wait",
                    quoted(lock),
                    quoted(until_said),
                    command(planning()),
                    said);
    ASSERT_EQ(std::system(fmt::format("bash -c {}", quoted(hold)).c_str()), 0);
    EXPECT_THAT(read_text(folder_ / "err"),
                HasSubstr("waiting to write " + registry().string() + ", which another process"));
    EXPECT_TRUE(std::filesystem::exists(registry()));
}

// Killed anywhere, the file is the old one or the new one.
TEST_F(RegistryWriting, KilledAtARandomMomentTheFileIsWhole) {
    std::ofstream(registry()) << kForeign;
    ASSERT_EQ(run(planning({"--registry", folder_ / "whole"})).exit_code, 0);
    std::mt19937 random(7);
    std::uniform_int_distribution<int> milliseconds(1, 400);
    int killed = 0;
    for (int i = 0; i < 12; ++i) {
        const ToolRun tool = [&] {
            const std::string limited =
                fmt::format("timeout -s KILL 0.{:03} sh -c {} >/dev/null 2>&1",
                            milliseconds(random),
                            quoted(command(planning())));
            const int status = std::system(limited.c_str());
            return ToolRun{WEXITSTATUS(status), "", ""};
        }();
        killed += tool.exit_code == 137 ? 1 : 0;
        const std::string text = read_text(registry());
        EXPECT_TRUE(text.starts_with(kForeign));
        const Result<RegistryReading> reading = load_registry(registry());
        ASSERT_TRUE(reading.ok());
        EXPECT_TRUE(reading.value().warnings.empty());
        for (const RegistrySection& section : reading.value().registry.sections) {
            for (const RegistryVariant& variant : section.variants) {
                EXPECT_TRUE(variant.baseline_vram_mib || variant.tiers.size() == 6);
            }
        }
    }
    EXPECT_GT(killed, 0);
    EXPECT_EQ(run(planning()).exit_code, 0);  // what a killed run left behind hinders nobody
}

}  // namespace
}  // namespace pshard::test
