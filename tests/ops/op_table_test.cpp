#include "ops/op_table.h"
#include "ops/op_sums.h"
#include "support/testing.h"

namespace pshard {
namespace {

TEST(OpTable, FindsEachRowByItsName) {
    std::set<std::string_view> names;
    for (const OpRule& rule : op_rules()) {
        EXPECT_TRUE(names.insert(rule.name).second) << rule.name << " has two rows";
        EXPECT_EQ(&op_rule(rule.name), &rule) << rule.name;
        // As long and with the same letters where names are hashed, yet another op.
        if (rule.name.size() > 3) {
            std::string other(rule.name);
            other[1] = '*';
            EXPECT_EQ(op_rule(other).name, "") << other;
        }
    }
}

TEST(OpTable, SaysNothingOfAnOpThatItDoesNotList) {
    for (const char* op : {"", "NO_SUCH_OP", "MUL_MA"}) {
        const OpRule& rule = op_rule(op);
        EXPECT_EQ(rule.name, "");
        EXPECT_EQ(rule.family, OpFamily::Other);
        EXPECT_EQ(rule.flops, 0);
        EXPECT_FALSE(rule.in_place);
        EXPECT_TRUE(rule.weights_decide);
    }
}

TEST(OpTable, MakesSetsOfOps) {
    const OpSet set{"ADD", "TRANSPOSE"};
    EXPECT_TRUE(set.contains(op_rule("ADD")));
    EXPECT_TRUE(set.contains(op_rule("TRANSPOSE")));
    EXPECT_FALSE(set.contains(op_rule("MUL")));
    EXPECT_FALSE(set.contains(op_rule("NO_SUCH_OP")));
}

// Of a result [2, 3, 5, 7].
TEST(OpTable, CountsTheRowsThatOpOffloadCompares) {
    const auto rows = [](const char* op) { return offload_rows(op_rule(op), {2, 3, 5, 7}); };
    EXPECT_EQ(rows("GET_ROWS"), 0);
    EXPECT_EQ(rows("MUL_MAT"), 3);
    EXPECT_EQ(rows("MUL_MAT_ID"), 5);
    EXPECT_EQ(rows("ROPE"), 5);
    EXPECT_EQ(rows("ADD"), 3 * 5 * 7);
    EXPECT_EQ(rows("NO_SUCH_OP"), 3 * 5 * 7);
}

TEST(OpTable, NamesTheProfileRowOfAMulByAColumn) {
    EXPECT_EQ(profile_row("MUL", {64, 4, 1, 1}, {1, 4, 1, 1}), "MUL_COLUMN");
    EXPECT_EQ(profile_row("MUL", {64, 4, 1, 1}, {64, 1, 1, 1}), "MUL");
    EXPECT_EQ(profile_row("MUL", {1, 4, 1, 1}, {1, 4, 1, 1}), "MUL");
    EXPECT_EQ(profile_row("ADD", {64, 4, 1, 1}, {1, 4, 1, 1}), "ADD");
}

TEST(OpTable, TellsTheFamilyOfAProfileRow) {
    EXPECT_EQ(family_of_row("FLASH_ATTN_GQA-8"), OpFamily::Attention);
    EXPECT_EQ(family_of_row("FLASH_ATTN_MHA"), OpFamily::Attention);
    EXPECT_EQ(family_of_row("MUL_MAT_ID"), OpFamily::MatMulId);
    EXPECT_EQ(family_of_row("MUL_COLUMN"), OpFamily::Other);
}

// 5 rows of 4 by a matrix [4, 3] of 24 bytes: 2*4*3*5; 24 + 4*4*5 + 4*3*5
TEST(OpSums, CountAProduct) {
    EXPECT_EQ(product_flops(4, 15), 120);
    EXPECT_EQ(product_sums(3, 4, 5, 24).flops, 120);
    EXPECT_EQ(product_sums(3, 4, 5, 24).bytes, 24 + 80 + 60);
    EXPECT_EQ(attention_flops(8, 2, 512), 2 * 8 * 2 * 512);
}

TEST(DistinctExperts, FollowsTheUniformFormula) {
    EXPECT_DOUBLE_EQ(distinct_experts(4, 1, 1), 1);
    EXPECT_DOUBLE_EQ(distinct_experts(4, 1, 2), 4 * (1 - 0.75 * 0.75));  // 1.75
    EXPECT_DOUBLE_EQ(distinct_experts(4, 4, 7), 4);
    EXPECT_NEAR(distinct_experts(256, 8, 10000), 256, 1e-9);
    EXPECT_EQ(distinct_experts(0, 8, 1), 0);
}

}  // namespace
}  // namespace pshard
