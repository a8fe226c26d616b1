// PSHARD0 in llama.cpp over the real ggml-cuda and the fake: a sample of the grid, another each
// day, and what the fake must see when PSHARD0 is broken on purpose.
#include <chrono>

#include "fakecuda/host_cells.h"
#include "support/sanitizer.h"
#include "support/testing.h"

namespace pshard::backend_test {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

// The whole grid in ten days.
constexpr std::size_t kSample = 330;
constexpr std::size_t kParts = 3;

std::size_t days_since_1970() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<std::size_t>(std::chrono::duration_cast<std::chrono::days>(now).count());
}

class FakeCudaHost : public testing::Test {
protected:
    void SetUp() override {
        if (!host_cells_missing().empty()) GTEST_SKIP() << host_cells_missing();
    }
};

class FakeCudaSample : public FakeCudaHost, public testing::WithParamInterface<std::size_t> {};

TEST_P(FakeCudaSample, RunsWithoutAFault) {
    if (GetParam() > 0) PSHARD_TOO_SLOW_SANITIZED();
    const std::vector<HostCell> cells = sample_of_host_cells(kSample, days_since_1970());
    for (std::size_t i = GetParam(); i < cells.size(); i += kParts) {
        EXPECT_EQ(run_host_cell(cells[i]).problem(), "") << cells[i].name();
    }
}

INSTANTIATE_TEST_SUITE_P(Parts, FakeCudaSample, testing::Range(std::size_t{0}, kParts));

TEST_F(FakeCudaHost, StockRunsWithoutAFault) {
    for (const char* arch : {"llama", "qwen3moe"}) {
        const HostResult result = run_host_cell({.arch = arch, .plan = "stock"});
        EXPECT_EQ(result.problem(), "") << arch;
        EXPECT_EQ(result.decode.at("graph_launches"), 1) << arch;
    }
}

// A step of one token with everything in VRAM, beside stock's.
class FakeCudaStep : public FakeCudaHost, public testing::WithParamInterface<const char*> {
protected:
    void SetUp() override {
        FakeCudaHost::SetUp();
        if (IsSkipped()) return;
        for (const char* plan : {"stock", "resident"}) {
            const HostResult result = run_host_cell(
                {.arch = GetParam(), .plan = plan, .load_mode = "mmap"}, {{"FAKECUDA_CHECK", "0"}});
            ASSERT_EQ(result.problem(), "");
            counts_[plan] = result.decode;
        }
    }

    double stock(const char* count) { return counts_["stock"].at(count); }

    double ours(const char* count) { return counts_["resident"].at(count); }

private:
    std::map<std::string, std::map<std::string, double>> counts_;
};

TEST_P(FakeCudaStep, AsksNoMoreThanStocksOfTheDevice) {
    for (const char* count :
         {"kernels", "launches", "captures", "device_copies", "memsets", "allocations"}) {
        EXPECT_LE(ours(count), stock(count)) << count;
    }
    if (stock("graph_launches") == 1) {  // else llama.cpp hands the graph over in pieces
        EXPECT_EQ(ours("graph_launches"), 1);
    }
}

TEST_P(FakeCudaStep, WaitsForNothingAndWakesNobodyMoreThanStocks) {
    if (stock("graph_launches") != 1) return;  // llama.cpp hands the graph over in pieces
    for (const char* count : {"records", "queue_waits", "event_waits", "sleeps", "locks"}) {
        EXPECT_LE(ours(count), stock(count)) << count;
    }
    EXPECT_EQ(ours("uploads_pageable"), 0);
}

INSTANTIATE_TEST_SUITE_P(Models,
                         FakeCudaStep,
                         testing::Values("llama",
                                         "qwen2",
                                         "qwen3",
                                         "gemma3",
                                         "phi3",
                                         "command-r",
                                         "qwen3moe",
                                         "gpt-oss",
                                         "deepseek2",
                                         "mistral4",
                                         "glm4moe",
                                         "llama4",
                                         "qwen3next",
                                         "qwen35moe",
                                         "granitehybrid",
                                         "falcon-h1",
                                         "nemotron_h"));

TEST_F(FakeCudaHost, SeesUploadsThatNobodyWaitsFor) {
    const HostResult result =
        run_host_cell({.arch = "llama", .plan = "stream-all"}, {{"PSHARD_CHAOS", "no-fence"}});
    EXPECT_TRUE(result.child.ok()) << result.child.text();
    EXPECT_THAT(result.faults, Contains(HasSubstr("reads what may not have been written yet")));
}

// A driver that locks for reading only does so in place; one that does not gets rings.
TEST_F(FakeCudaHost, LocksTheModelWhereTheDriverDoes) {
    const HostCell cell{.arch = "llama", .plan = "stream-all", .load_mode = "mmap"};
    const HostResult granted = run_host_cell(cell, {{"FAKECUDA_READ_ONLY_LOCKS", "1"}});
    const HostResult refused = run_host_cell(cell);
    EXPECT_EQ(granted.problem(), "");
    EXPECT_NE(granted.report.at("locks"), "0");
    EXPECT_EQ(refused.report.at("locks"), "0");
    EXPECT_NE(refused.report.at("refused_locks"), "0");
}

// Else llama.cpp reads the whole model into memory of its own with load mode `auto`.
TEST_F(FakeCudaHost, SaysThatModelsCanBeMapped) {
    EXPECT_EQ(run_host_cell({.arch = "llama", .plan = "resident"}).decode.at("maps_models"), 1);
}

// The threads that copy mean the device that the model is on.
TEST_F(FakeCudaHost, MakesNoContextOnAnotherDevice) {
    const HostResult result = run_host_cell({.arch = "llama", .plan = "stream-all", .device = 1});
    EXPECT_EQ(result.problem(), "");
    EXPECT_TRUE(result.report.contains("context 1"));
    EXPECT_FALSE(result.report.contains("context 0"));
}

// Mistral 4's heads have no kernel for flash attention.
TEST_F(FakeCudaHost, TellsOfAttentionThatTheGpuCannotCompute) {
    const std::string words = "CUDA0 has no kernel for attention over this cache";
    const HostResult on = run_host_cell({.arch = "mistral4", .plan = "resident"});
    EXPECT_EQ(on.problem(), "");
    EXPECT_THAT(on.child.err, HasSubstr(words));
    const HostCell off{.arch = "mistral4", .plan = "resident", .attention = "f16"};
    EXPECT_THAT(run_host_cell(off).child.err, Not(HasSubstr(words)));
}

// A host may call exit() when it likes: uploads for the next step still run, or another thread is
// in one. A call after the runtime's own end would abort the process.
TEST_F(FakeCudaHost, CallsNothingAfterTheExit) {
    for (const char* when : {"after", "during"}) {
        const HostCell cell{.arch = "llama", .plan = "stream-all", .exit = when};
        const HostResult result = run_host_cell(cell, {{"FAKECUDA_COPY_US", "1000"}});
        EXPECT_EQ(result.problem(), "") << when;
    }
}

// With flash attention off CUDA's own pool takes more than a profile's run of the same batches,
// 36 KiB for a token (ops/cuda_pool.h): it is in the budget, with the context full.
TEST_F(FakeCudaHost, KeepsPoolsWithinTheBudget) {
    constexpr int kTokens = 480;
    const HostCell cell{
        .arch = "llama",
        .plan = "resident",
        .attention = "f16",
        .flags = {"-c", "8192", "-ub", std::to_string(kTokens), "--scenario", "full"}};
    constexpr int kBudget = 192;
    const HostResult result = run_host_cell(cell,
                                            {{"PSHARD_MAX_VRAM_ALLOC", std::to_string(kBudget)},
                                             {"FAKECUDA_GRAPH_NODE_KIB", "0"},
                                             {"FAKECUDA_CHECK", "0"}});
    EXPECT_EQ(result.problem(), "");
    EXPECT_THAT(result.child.err, HasSubstr("of the budget to CUDA's own pool"));
    EXPECT_LE(result.bytes_in_all(), kBudget * 1048576. + kTokens * 36864.) << result.peak_text();
}

// Memory that runs out at the nth call ends in a message or in the next best way, never in a fault.
TEST_F(FakeCudaHost, SurvivesAnyAllocationThatFails) {
    const HostCell cell{.arch = "llama", .plan = "attn-1"};
    for (const char* call :
         {"cudaMalloc:1", "cudaMalloc:2", "cudaMallocHost:1", "cudaMallocHost:2"}) {
        const HostResult result = run_host_cell(cell, {{"FAKECUDA_FAIL", call}});
        EXPECT_LT(result.child.exit_code, 128) << call << ": " << result.child.text();
        EXPECT_TRUE(result.faults.empty()) << call << ": " << result.faults.front();
    }
}

}  // namespace
}  // namespace pshard::backend_test
