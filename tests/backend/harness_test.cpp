// The harness itself: it must see a difference of one bit, and stock llama.cpp must agree with
// itself, before any run with PSHARD0 means something.
#include <cstring>
#include <filesystem>

#include "backend/harness/expect.h"
#include "backend/harness/grid.h"
#include "backend/harness/programs.h"
#include "backend/harness/records.h"
#include "backend/harness/run_options.h"
#include "base/temp_folder.h"
#include "support/testing.h"

namespace pshard::backend_test {
namespace {

const Records kTwo = {{"a", {1.0f, 2.0f}, {}}, {"b", {3.0f, -0.0f}, {7}}};

TEST(Records, ComeBackFromTheirFile) {
    const test::TempFolder folder;
    ASSERT_TRUE(write_records(kTwo, folder.file("r")).ok());
    const Records read = test::value_of(read_records(folder.file("r")));
    EXPECT_TRUE(compare(kTwo, read).identical);
}

TEST(Records, ACutFileIsAnError) {
    const test::TempFolder folder;
    ASSERT_TRUE(write_records(kTwo, folder.file("r")).ok());
    const auto size = std::filesystem::file_size(folder.file("r"));
    std::filesystem::resize_file(folder.file("r"), size - 3);
    EXPECT_FALSE(read_records(folder.file("r")).ok());
    EXPECT_FALSE(read_records(folder.file("none")).ok());
}

TEST(Compare, EqualIsIdentical) {
    const Comparison same = compare(kTwo, kTwo);
    EXPECT_TRUE(same.identical);
    EXPECT_EQ(same.nmse, 0);
    EXPECT_EQ(same.text, "");
}

TEST(Compare, OneBitIsSeen) {
    Records other = kTwo;
    other[1].values[1] = 0.0f;  // equal to -0.0f, and yet another value
    const Comparison differs = compare(kTwo, other);
    EXPECT_FALSE(differs.identical);
    EXPECT_EQ(differs.nmse, 0);
    EXPECT_THAT(differs.text, HasSubstr("1 of 2 records differ; the first, 1 'b', value 1 is 0"));
}

// (3 - 4)^2 / (1 + 4 + 9) = 1 / 14 = 0.0714
TEST(Compare, TellsHowFarApart) {
    Records other = kTwo;
    other[1].values[0] = 4.0f;
    EXPECT_NEAR(compare(kTwo, other).nmse, 1.0 / 14, 1e-12);
}

TEST(Compare, WhatHasNoCounterpartIsInfinitelyFar) {
    const double infinite = std::numeric_limits<double>::infinity();
    EXPECT_EQ(compare(kTwo, {kTwo[0]}).nmse, infinite);
    EXPECT_THAT(compare(kTwo, {kTwo[0]}).text, HasSubstr("1 records instead of 2"));
    Records other = kTwo;
    other[0].values.pop_back();
    EXPECT_EQ(compare(kTwo, other).nmse, infinite);
    other = kTwo;
    other[0].values[0] = std::nanf("");
    EXPECT_EQ(compare(kTwo, other).nmse, infinite);
    EXPECT_TRUE(compare(other, other).identical) << "the same NaN";
    other = kTwo;
    other[1].hashes[0] = 8;
    EXPECT_FALSE(compare(kTwo, other).identical);
}

TEST(Options, AreReadAsTheyAreSpelled) {
    const auto options =
        test::value_of(parse_options({"--model", "m", "-ngl", "3", "-kvu", "-fa", "on"}));
    EXPECT_EQ(options.model, "m");
    EXPECT_EQ(options.n_gpu_layers, 3);
    EXPECT_TRUE(options.kv_unified);
    EXPECT_EQ(options.flash_attn, "on");
    EXPECT_FALSE(parse_options({}).ok());
    EXPECT_FALSE(parse_options({"--model", "m", "-ngl", "x"}).ok());
    EXPECT_FALSE(parse_options({"--model", "m", "-c"}).ok());
    EXPECT_FALSE(parse_options({"--model", "m", "--modle", "n"}).ok());
}

TEST(Child, GivesItsOutputAndStatus) {
    const ChildProgram program{.command = {"/bin/sh", "-c", "echo out; echo $A >&2; exit 3"},
                               .environment = {{"A", "b"}}};
    const ChildResult result = run(program);
    EXPECT_EQ(result.exit_code, 3);
    EXPECT_EQ(result.out, "out\n");
    EXPECT_EQ(result.err, "b\n");
    EXPECT_EQ(program.shell_line(), "A=b /bin/sh -c 'echo out; echo $A >&2; exit 3'");
}

TEST(Child, ThatHangsIsEndedWithItsChildren) {
    const ChildResult result =
        run({.command = {"/bin/sh", "-c", "sleep 100; true"}, .limit_seconds = 1});
    EXPECT_TRUE(result.timed_out);
    EXPECT_FALSE(result.ok());
    EXPECT_LT(result.seconds, 20);
    EXPECT_THAT(result.text(), HasSubstr("it did not end"));
}

TEST(Child, ThatCannotStartIsNoSuccess) {
    EXPECT_EQ(run({.command = {"/no/such/program"}}).exit_code, 127);
    EXPECT_EQ(run({.command = {"/bin/sh", "-c", "kill -SEGV $$"}}).exit_code, 128 + 11);
}

// How the file is read must not matter, nor that it is another run.
TEST(Stock, AgreesWithItselfInEveryScenario) {
    Grid grid(inner_device("cpu"));
    for (const ScenarioRow& scenario : all_scenarios()) {
        const CellResult cell =
            grid.run_stock(model_row("llama-Q8_0"), scenario, {"--load-mode", "none"});
        EXPECT_TRUE(cell.good) << scenario.name << ": " << cell.text;
    }
}

TEST(Stock, AnotherTextDiffers) {
    Grid grid(inner_device("cpu"));
    const CellResult cell =
        grid.run_stock(model_row("llama-Q8_0"), scenario_row("brief"), {"--seed", "2"});
    EXPECT_EQ(cell.outcome, Outcome::Different);
    EXPECT_THAT(cell.text,
                AllOf(HasSubstr("9 of 9 records differ"), HasSubstr("logits_run --model")));
}

TEST(Suites, OfOtherKernelsMayDifferInFractions) {
    const std::string wanted = "PPL = 1500.3729 +/- 44.48875";
    EXPECT_TRUE(same_but_for_fractions(wanted, "PPL = 1499.8549 +/- 44.45917"));
    EXPECT_FALSE(same_but_for_fractions(wanted, "PPL = 1480.0000 +/- 44.45917"));
    EXPECT_FALSE(same_but_for_fractions(wanted, "PPL = 1500.3729"));
    EXPECT_FALSE(same_but_for_fractions(wanted, "NLL = 1500.3729 +/- 44.48875"));
    EXPECT_TRUE(same_but_for_fractions("", ""));
}

// A layout of its own has other kernels: why --no-repack stands in the table of devices. Q4_0 has
// one in every llama.cpp that scripts/build-llama-cpp makes. Should this fail, the asked backend
// answers otherwise than it computes, or rounds as before: mind Grid::computes_as_stock.
TEST(Stock, WeightsInAnotherLayoutAreCloseOnly) {
    InnerDevice device = inner_device("cpu");
    device.common_flags = {};
    Grid grid(device);
    const auto outcome = [&](const ModelRow& model) {
        return grid.run_stock(model, scenario_row("brief"), {"--no-repack"}).outcome;
    };
    for (const char* name : {"llama-Q8_0", "llama-F16"}) {
        if (grid.has_own_layouts(model_row(name))) continue;
        EXPECT_EQ(outcome(model_row(name)), Outcome::Identical) << name;
    }
    ASSERT_TRUE(grid.has_own_layouts(model_row("llama-Q4_0")));
    EXPECT_EQ(outcome(model_row("llama-Q4_0")), Outcome::Close);
}

// A simulated GPU computes what the CPU computes, so both have the same stock run.
TEST(Stock, SimgpuIsTheCpuBitForBit) {
    const InnerDevice device = inner_device("simgpu");
    PSHARD_NEEDS_DEVICE(device);
    Grid simulated(device);
    for (const char* model : {"llama-Q8_0", "qwen3moe-Q8_0", "qwen3next-Q8_0"}) {
        for (const char* scenario :
             {"decode", "fa-off", "kv-q8_0", "np4", "state-seq", "eval-callback"}) {
            const CellResult cell = simulated.run_stock(
                model_row(model), scenario_row(scenario), {"--device", "none", "--no-repack"});
            EXPECT_EQ(cell.outcome, Outcome::Identical) << model << " " << scenario << cell.text;
        }
    }
}

}  // namespace
}  // namespace pshard::backend_test
