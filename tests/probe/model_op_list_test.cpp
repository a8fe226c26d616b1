// What a model's graphs hold, on a real model's graph.
#include <algorithm>
#include <set>

#include <gmock/gmock.h>

#include "build_paths.h"
#include "capture/capture.h"
#include "probe/op_lists.h"
#include "support/stock_memory.h"

namespace pshard {
namespace {

Inventory captured(const std::string& shape, std::vector<std::uint32_t> tiers) {
    CaptureRequest request;
    request.model_path = testing_support::sparse_model(shape, "Q4_K_M").value();
    request.backend_dir = PSHARD_LLAMA_BIN_DIR;
    request.context.n_ctx = 1024;
    request.context.n_batch = 512;
    request.context.n_ubatch = 512;
    request.tiers = std::move(tiers);
    const Result<Inventory> inventory = capture_inventory(request);
    EXPECT_TRUE(inventory.ok());
    return inventory.value();
}

bool has(const std::vector<OpCase>& cases, const OpCase& wanted) {
    return std::find(cases.begin(), cases.end(), wanted) != cases.end();
}

TEST(ModelOpList, HoldsTheShapesTypesAndBatchesOfADenseModel) {
    const std::vector<OpCase> cases = model_op_list(captured("Llama-3.2-3B", {1, 512}));
    for (const std::int64_t tokens : {1, 512}) {
        EXPECT_TRUE(has(
            cases, {.op = "MUL_MAT", .type = "q4_K", .n_tokens = tokens, .n = 8192, .k = 3072}));
        EXPECT_TRUE(has(cases,
                        {.op = "FLASH_ATTN_EXT",
                         .type = "f16",
                         .n_tokens = tokens,
                         .n_cells = 1024,
                         .n_heads = 24,
                         .n_heads_kv = 8,
                         .head_dim = 128}));
        EXPECT_TRUE(has(
            cases,
            {.op = "SWIGLU", .type = "f32", .n_tokens = tokens, .shape = {8192, tokens, 1, 1}}));
    }
    // The head computes its output rows alone.
    EXPECT_TRUE(
        has(cases, {.op = "MUL_MAT", .type = "q6_K", .n_tokens = 1, .n = 128256, .k = 3072}));
}

TEST(ModelOpList, HoldsRoutedExpertsAndNamesEachCaseOnce) {
    const std::vector<OpCase> cases = model_op_list(captured("Qwen3-30B-A3B", {16}));
    // 8 experts of 16 tokens, each by its weight; flat, since the op does not care.
    EXPECT_TRUE(has(
        cases, {.op = "MUL_COLUMN", .type = "f32", .n_tokens = 128, .shape = {2048, 128, 1, 1}}));
    EXPECT_TRUE(has(cases,
                    {.op = "MUL_MAT_ID",
                     .type = "q4_K",
                     .n_tokens = 16,
                     .n = 768,
                     .k = 2048,
                     .n_experts = 128,
                     .n_used = 8}));
    std::set<std::string> names;
    for (const OpCase& c : cases) EXPECT_TRUE(names.insert(describe(c)).second) << describe(c);
}

}  // namespace
}  // namespace pshard
