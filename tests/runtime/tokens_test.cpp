// How many tokens a graph works on, as nobody tells the device.
#include <gmock/gmock.h>

#include "runtime/model.h"
#include "support/graph_maker.h"

namespace pshard {
namespace {

constexpr int kTokens = 7;

class TokensOf : public testing::Test {
protected:
    TokensOf() {
        add_weight(inventory_, "blk.0.attn_q.weight", "q8_0", {64, 64, 1, 1});
        add_weight(inventory_, "blk.0.attn_q_norm.weight", "f32", {16, 1, 1, 1});
        add_weight(inventory_, "blk.0.attn_k_b.weight", "q8_0", {16, 16, 4, 1});
        add_weight(inventory_, "blk.0.ffn_up_exps.weight", "q8_0", {64, 32, 8, 1});
        add_weight(inventory_, "output.weight", "q8_0", {64, 256, 1, 1});
    }

    Ref matmul(const char* weight, Shape shape, const char* op = "MUL_MAT") {
        return maker_.node(op, weight, 0, shape, {maker_.weight(weight), input_});
    }

    std::uint32_t tokens() const { return tokens_of(graph_, inventory_); }

    Inventory inventory_;
    Graph graph_;
    GraphMaker maker_{inventory_, graph_};
    Ref input_ = maker_.input("inp", "f32", {64, kTokens, 1, 1});
};

TEST_F(TokensOf, AreTheRowsOfAMatrixProduct) {
    matmul("blk.0.attn_q.weight", {64, kTokens, 1, 1});
    EXPECT_EQ(tokens(), kTokens);
}

TEST_F(TokensOf, AreNotTheRowsOfAHeadsNorm) {
    matmul("blk.0.attn_q.weight", {64, kTokens, 1, 1});
    matmul("blk.0.attn_q_norm.weight", {16, 4, kTokens, 1}, "MUL");
    EXPECT_EQ(tokens(), kTokens);
}

TEST_F(TokensOf, AreNotTheRowsOfAMatrixPerHead) {
    matmul("blk.0.attn_q.weight", {64, kTokens, 1, 1});
    matmul("blk.0.attn_k_b.weight", {16, kTokens, 4, 1});
    EXPECT_EQ(tokens(), kTokens);
}

TEST_F(TokensOf, AreThoseOfTheExpertsTokens) {
    matmul("blk.0.ffn_up_exps.weight", {32, 2, kTokens, 1}, "MUL_MAT_ID");
    EXPECT_EQ(tokens(), kTokens);
}

TEST_F(TokensOf, AreThoseOfMostMatrices) {
    matmul("blk.0.attn_q.weight", {64, kTokens, 1, 1});
    matmul("blk.0.attn_q.weight", {64, kTokens, 1, 1});
    matmul("output.weight", {256, 1, 1, 1});
    EXPECT_EQ(tokens(), kTokens);
}

TEST_F(TokensOf, CountSequencesToo) {
    matmul("blk.0.attn_q.weight", {64, 3, 2, 1});
    EXPECT_EQ(tokens(), 6);
}

TEST_F(TokensOf, AreNoneWithoutWeights) {
    maker_.node("ADD", "sum", 0, {64, kTokens, 1, 1}, {input_, input_});
    EXPECT_EQ(tokens(), 0);
}

}  // namespace
}  // namespace pshard
