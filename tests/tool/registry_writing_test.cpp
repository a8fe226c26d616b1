// What the planner does to a registry that is already there.
#include <gmock/gmock.h>

#include "registry/registry_file.h"
#include "tool/run_tool.h"

namespace pshard::test {
namespace {

using ::testing::HasSubstr;

class RegistryWriting : public ToolTest {};

TEST_F(RegistryWriting, TwoRunsGiveTheSameBytes) {
    ASSERT_EQ(run(planning()).exit_code, 0);
    const std::string first = read_text(registry());
    ASSERT_EQ(run(planning()).exit_code, 0);
    EXPECT_EQ(read_text(registry()), first);
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

}  // namespace
}  // namespace pshard::test
