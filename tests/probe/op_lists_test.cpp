#include "probe/op_lists.h"
#include "build_paths.h"
#include "capture/capture.h"
#include "machine/quant.h"
#include "ops/op_table.h"
#include "probe/op_graph.h"
#include "probe/profile_ops.h"
#include "support/stock_memory.h"
#include "support/testing.h"

namespace pshard {
namespace {

constexpr auto kTypes = {"f16",
                         "bf16",
                         "q8_0",
                         "q4_0",
                         "q4_1",
                         "q5_0",
                         "q2_K",
                         "q3_K",
                         "q4_K",
                         "q5_K",
                         "q6_K",
                         "iq4_xs",
                         "iq3_xxs",
                         "iq2_xxs",
                         "mxfp4"};

TEST(OpLists, HoldTheTypesThatUsersRun) {
    for (const OpListSize size : {OpListSize::Fast, OpListSize::Full}) {
        for (const auto& list : {cpu_op_list(size), gpu_op_list(size)}) {
            std::set<std::string> ops;
            std::set<std::string> types;
            bool skewed = false;
            for (const OpCase& c : list) {
                ops.insert(c.op);
                if (c.op == "MUL_MAT") types.insert(c.type);
                skewed = skewed || c.routing == Routing::Skewed;
            }
            for (const char* type : kTypes) EXPECT_TRUE(types.contains(type)) << type;
            for (const OpRule& rule : op_rules()) {
                const bool listed = rule.standard.columns > 0 || is_matmul(rule.name) ||
                                    rule.family == OpFamily::Attention;
                EXPECT_EQ(ops.contains(std::string(rule.name)), listed) << rule.name;
            }
            for (const char* op :
                 {"RMS_NORM", "ROPE", "SWIGLU", "SET_ROWS", "GET_ROWS", "ARGSORT"}) {
                EXPECT_TRUE(ops.contains(op)) << op;
            }
            EXPECT_TRUE(ops.contains("GATED_DELTA_NET") && ops.contains("SOFT_MAX"));
            EXPECT_TRUE(skewed);
        }
    }
}

TEST(OpLists, NameNoCaseTwiceAndNoTypeThatIsNotKnown) {
    for (const OpListSize size : {OpListSize::Fast, OpListSize::Full}) {
        for (const auto& list : {cpu_op_list(size), gpu_op_list(size)}) {
            std::set<std::string> seen;
            for (const OpCase& c : list) {
                const std::string name =
                    describe(c) + (c.routing == Routing::Skewed ? " skewed" : "");
                EXPECT_TRUE(seen.insert(name).second) << name;
                EXPECT_TRUE(bits_per_weight(c.type) && ggml_type_of(c.type)) << name;
            }
        }
    }
}

TEST(OpLists, KeepTheWantedBatches) {
    const std::vector<OpCase> all = cpu_op_list(OpListSize::Fast);
    EXPECT_EQ(with_batches(all, {}), all);
    const std::vector<OpCase> ones = with_batches(all, {1, 64});
    ASSERT_FALSE(ones.empty());
    EXPECT_LT(ones.size(), all.size());
    for (const OpCase& c : ones) EXPECT_TRUE(c.n_tokens == 1 || c.n_tokens == 64) << describe(c);
}

TEST(BusyNote, IsOfMoreThanAHalf) {
    std::vector<OpRow> rows(4);
    rows[0].noisy_percent = 20;
    rows[1].noisy_percent = 20;
    EXPECT_EQ(busy_note(rows), "");
    rows[2].noisy_percent = 20;
    EXPECT_THAT(busy_note(rows), StartsWith("3 of 4 ops"));
    EXPECT_EQ(busy_note({}), "");
}

// What a model's graphs hold, on a real model's graph.

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
