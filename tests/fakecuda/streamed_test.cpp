// What a step asks of CUDA where layers are streamed, and where the CPU computes a part of each:
// counts, of steps of one token, held against the same model all in VRAM.
#include "fakecuda/host_cells.h"
#include "models/shapes.h"
#include "support/testing.h"

namespace pshard::backend_test {
namespace {

std::map<std::string, double> decode_step(const std::string& arch,
                                          const std::string& plan,
                                          Environment more = {}) {
    more["FAKECUDA_CHECK"] = "0";
    const HostResult result =
        run_host_cell({.arch = arch, .plan = plan, .load_mode = "mmap"}, more);
    EXPECT_EQ(result.problem(), "") << arch << " " << plan;
    return result.decode;
}

double copies_of(const std::map<std::string, double>& step) {
    return step.at("uploads_locked") + step.at("uploads_pageable") + step.at("downloads_locked") +
           step.at("downloads_pageable");
}

class Streamed : public testing::TestWithParam<std::string> {
protected:
    void SetUp() override {
        if (!host_cells_missing().empty()) GTEST_SKIP() << host_cells_missing();
    }
};

// Weights, cache rows to and fro: at most 4 copies a layer. Where a layer has weights of more than
// 256 KiB, each of those is a copy of its own and its padding another, as a file has no room for
// it.
TEST_P(Streamed, LayersTakeFewCopies) {
    const std::string arch = GetParam();
    const double more =
        copies_of(decode_step(arch, "stream-all")) - copies_of(decode_step(arch, "resident"));
    EXPECT_LE(more, 4 * find_tiny_shape(arch).value().n_layer);
}

INSTANTIATE_TEST_SUITE_P(OfEachArchitecture,
                         Streamed,
                         testing::Values("llama", "qwen2", "qwen3", "gemma3", "command-r"),
                         [](const auto& test) {
                             std::string name = test.param;
                             std::ranges::replace(name, '-', '_');
                             return name;
                         });

// Experts on the CPU: a stage that fetches values waits for the GPU by that, once, and for no
// event. The events are those of a pass's ends.
TEST(Mixed, StagesOfTheCpuWaitForNoEvent) {
    if (!host_cells_missing().empty()) GTEST_SKIP() << host_cells_missing();
    const auto step = decode_step(
        "qwen3moe", "static-1", {{"PSHARD_STRATEGY", "4"}, {"PSHARD_MAX_VRAM_ALLOC", "10"}});
    EXPECT_GE(step.at("downloads_locked"), 2);  // two values for each stage of the CPU
    EXPECT_LE(step.at("event_waits"), 3);
    EXPECT_LE(step.at("records"), 3);
}

}  // namespace
}  // namespace pshard::backend_test
