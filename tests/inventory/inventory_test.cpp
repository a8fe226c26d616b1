#include "inventory/inventory.h"
#include "support/testing.h"

namespace pshard {
namespace {

ContextSpec context_of(OutputUse use) {
    ContextSpec context;
    context.n_seq_max = 4;
    context.output_use = use;
    return context;
}

TEST(OutputRows, AreAsManyAsTheProgramKeeps) {
    EXPECT_EQ(output_rows(context_of(OutputUse::Server), 512), 4U);
    EXPECT_EQ(output_rows(context_of(OutputUse::Cli), 512), 1U);
    EXPECT_EQ(output_rows(context_of(OutputUse::Bench), 512), 1U);
    EXPECT_EQ(output_rows(context_of(OutputUse::Perplexity), 512), 512U);
}

TEST(OutputRows, AreNeverMoreThanTokens) {
    EXPECT_EQ(output_rows(context_of(OutputUse::Server), 1), 1U);
    EXPECT_EQ(output_rows(context_of(OutputUse::Perplexity), 1), 1U);
    ContextSpec context = context_of(OutputUse::Cli);
    context.n_outputs = 8;
    EXPECT_EQ(output_rows(context, 512), 8U);
    EXPECT_EQ(output_rows(context, 2), 2U);
}

// 4096 / 4; ceil(4096 / 256) * 256 / 3 = 1365, in steps of 256.
TEST(TokensPerSequence, AreTheShareOfASequence) {
    ContextSpec context;
    context.n_ctx = 4096;
    EXPECT_EQ(tokens_per_sequence(context), 4096U);
    context.n_seq_max = 4;
    EXPECT_EQ(tokens_per_sequence(context), 1024U);
    context.n_seq_max = 3;
    EXPECT_EQ(tokens_per_sequence(context), 1536U);
    context.kv_unified = true;
    EXPECT_EQ(tokens_per_sequence(context), 4096U);
}

TEST(GraphOfTier, IsFoundByItsKey) {
    Inventory inventory;
    inventory.graphs.resize(2);
    inventory.graphs[0].n_tokens = 1;
    inventory.graphs[1].n_tokens = 16;
    EXPECT_EQ(graph_of_tier(inventory, {16}), &inventory.graphs[1]);
    EXPECT_EQ(graph_of_tier(inventory, {2}), nullptr);
    EXPECT_EQ(graph_of_tier(inventory, {16, 8}), nullptr);
}

}  // namespace
}  // namespace pshard
