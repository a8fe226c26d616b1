// Work and rows of cases, with sums by hand.
#include "probe/op_case.h"
#include "cost/rate_table.h"
#include "support/testing.h"

namespace pshard {
namespace {

constexpr Seconds kMillisecond = 1e-3;

const OpCase kMatmul{.op = "MUL_MAT", .type = "q8_0", .n_tokens = 2, .n = 64, .k = 32};
const OpCase kExperts{.op = "MUL_MAT_ID",
                      .type = "f16",
                      .n_tokens = 3,
                      .n = 10,
                      .k = 20,
                      .n_experts = 8,
                      .n_used = 2};
const OpCase kAttention{.op = "FLASH_ATTN_EXT",
                        .type = "f16",
                        .n_tokens = 2,
                        .n_cells = 100,
                        .n_heads = 8,
                        .n_heads_kv = 2,
                        .head_dim = 16};

TEST(OpCase, CountsAMatmul) {
    EXPECT_DOUBLE_EQ(sums_of(kMatmul).flops, 2.0 * 64 * 32 * 2);
    // 8.5 bits a weight; rows of 32 read and of 64 written, f32
    EXPECT_DOUBLE_EQ(sums_of(kMatmul).bytes, 64 * 32 * 8.5 / 8 + 4 * (64 + 32) * 2);
    EXPECT_EQ(cold_bytes(kMatmul), 2176U);
}

TEST(OpCase, CountsTheExpertsThatAreTouched) {
    EXPECT_EQ(touched_experts(kExperts), 6);  // 3 tokens, 2 routes each, all different
    EXPECT_DOUBLE_EQ(sums_of(kExperts).flops, 2.0 * 10 * 20 * 3 * 2);
    EXPECT_DOUBLE_EQ(sums_of(kExperts).bytes, 10 * 20 * 2 * 6 + 4 * (10 + 20) * 6);
    OpCase many = kExperts;
    many.n_tokens = 100;
    EXPECT_EQ(touched_experts(many), 8);
}

TEST(OpCase, CountsAttention) {
    EXPECT_DOUBLE_EQ(sums_of(kAttention).flops, 4.0 * 2 * 16 * 100 * 8);
    EXPECT_DOUBLE_EQ(sums_of(kAttention).bytes, 2 * 2.0 * 16 * 100 * 2 + 2 * 4.0 * 2 * 16 * 8);
}

TEST(OpCase, CountsSmallOpsByTheirTensors) {
    const OpCase add{.op = "ADD", .type = "f32", .n_tokens = 4, .shape = {10, 4, 1, 1}};
    EXPECT_DOUBLE_EQ(sums_of(add).bytes, 4 * 3 * 40);
    const OpCase rows{.op = "SET_ROWS", .type = "f16", .n_tokens = 4, .shape = {10, 4, 1, 1}};
    EXPECT_DOUBLE_EQ(sums_of(rows).bytes, 4 * 40 + 2 * 40);
    EXPECT_EQ(row_of({.op = "SUM_ROWS", .type = "f32", .n_tokens = 4, .shape = {10, 4, 1, 1}}, 1)
                  .n_elements,
              4);
}

TEST(OpCase, RoundRobinGivesEachRouteTheNextExpert) {
    const std::vector<std::int32_t> ids = routes(kExperts, 0);
    EXPECT_THAT(ids, ElementsAre(0, 1, 2, 3, 4, 5));
    EXPECT_NE(routes(kExperts, 1), ids) << "rotating operands would read the same experts";
}

// Every 16th of the nodes may read the same operand again: all of its experts, not the same few.
TEST(OpCase, NodesFarApartReadOtherExperts) {
    const OpCase one{.op = "MUL_MAT_ID", .type = "f16", .n_experts = 64, .n_used = 4};
    for (const std::uint32_t apart : {8U, 15U, 16U, 32U, 64U}) {
        std::set<std::int32_t> read;
        for (std::uint32_t i = 0; i < 32; i++) {
            for (const std::int32_t id : routes(one, i * apart)) read.insert(id);
        }
        EXPECT_GT(read.size(), 48U) << apart;
    }
}

TEST(OpCase, SkewedRoutesLikeSomeExpertsAndNeverRepeatWithinAToken) {
    OpCase skewed = kExperts;
    skewed.routing = Routing::Skewed;
    skewed.n_experts = 64;
    skewed.n_used = 8;
    skewed.n_tokens = 200;
    const std::vector<std::int32_t> ids = routes(skewed, 3);
    ASSERT_EQ(ids.size(), 1600U);
    std::map<std::int32_t, int> counts;
    for (std::size_t token = 0; token < 200; token++) {
        const std::set<std::int32_t> own(ids.begin() + 8 * std::ptrdiff_t(token),
                                         ids.begin() + 8 * std::ptrdiff_t(token + 1));
        ASSERT_EQ(own.size(), 8U) << "token " << token;
        for (const std::int32_t id : own) counts[id]++;
    }
    int most = 0;
    for (const auto& [id, count] : counts) {
        ASSERT_GE(id, 0);
        ASSERT_LT(id, 64);
        most = std::max(most, count);
    }
    EXPECT_GT(most, 2 * 1600 / 64) << "no expert is liked";
    EXPECT_EQ(routes(skewed, 3), ids) << "not the same for the same seed";
}

// What the planner makes of a row is what was measured.
TEST(OpCase, RowsTellThePlannerTheSameWork) {
    OpCase skewed = kExperts;
    skewed.routing = Routing::Skewed;
    skewed.n_tokens = 7;
    for (const OpCase& c : {kMatmul, kExperts, skewed, kAttention}) {
        const OpRow row = row_of(c, kMillisecond);
        const RowWork work = row_work(row);
        EXPECT_NEAR(work.flops, sums_of(c).flops, 1e-3 * sums_of(c).flops) << describe(c);
        EXPECT_NEAR(work.bytes, sums_of(c).bytes, 1e-3 * sums_of(c).bytes) << describe(c);
        EXPECT_NEAR(row.gflops, sums_of(c).flops / 1e6, 1e-9) << describe(c);
        EXPECT_NEAR(row.intensity * row.gb_per_s, row.gflops, 1e-9) << describe(c);
    }
}

TEST(OpCase, NamesAttentionAsPublished) {
    OpCase c = kAttention;
    EXPECT_EQ(row_of(c, 1).op, "FLASH_ATTN_GQA-2");
    EXPECT_EQ(row_of(c, 1).n_heads, 2);
    c.n_heads_kv = 1;
    EXPECT_EQ(row_of(c, 1).op, "FLASH_ATTN_MQA");
    c.n_heads_kv = c.n_heads;
    EXPECT_EQ(row_of(c, 1).op, "FLASH_ATTN_MHA");
}

TEST(OpCase, RidgeIsThePeakOfTheOpAndQuantOverTheBandwidth) {
    std::vector<OpRow> rows = {{.op = "MUL_MAT", .quant = "f16", .gflops = 10},
                               {.op = "MUL_MAT", .quant = "f16", .gflops = 40},
                               {.op = "MUL_MAT", .quant = "q8_0", .gflops = 80}};
    finish_ridges(rows, 20);
    EXPECT_DOUBLE_EQ(rows[0].ridge, 2);
    EXPECT_DOUBLE_EQ(rows[1].ridge, 2);
    EXPECT_DOUBLE_EQ(rows[2].ridge, 4);
}

TEST(OpCase, AMatmulOfOneTokenShowsWhatMemoryGives) {
    EXPECT_EQ(streamed_gb_per_s({}), 0);
    const std::vector<OpRow> rows = {
        {.op = "MUL_MAT", .quant = "f16", .gb_per_s = 20, .n = 64, .k = 64, .batch = 1},
        {.op = "MUL_MAT_ID",
         .quant = "f16",
         .gb_per_s = 30,
         .n = 32,
         .k = 32,
         .batch = 1,
         .n_tokens = 2},
        {.op = "MUL_MAT", .quant = "f16", .gb_per_s = 70, .n = 8, .k = 64, .batch = 1},  // small
        {.op = "MUL_MAT", .quant = "f16", .gb_per_s = 90, .n = 64, .k = 64, .batch = 4},
        {.op = "ADD", .quant = "f32", .gb_per_s = 200, .n_elements = 64}};  // in the cache
    EXPECT_EQ(streamed_gb_per_s(rows), 30);
}

}  // namespace
}  // namespace pshard
