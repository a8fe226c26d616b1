#include "cost/op_work.h"
#include "cost/graph_builder.h"
#include "cost/kv_reach.h"
#include "support/testing.h"

namespace pshard {
namespace {

using test::GraphBuilder;

OpWork work_of_last(const GraphBuilder& b, std::uint32_t depth = 0) {
    return b.work_of(b.graph.nodes.size() - 1, depth);
}

TEST(TensorOf, FollowsEachKindOfRef) {
    GraphBuilder b(1);
    const Ref weight = b.weight("w", "q4_0", {32, 2});
    const Ref state = b.cache("cache_k_l0", 8, 16);
    const Ref input = b.input("i32", {5});
    const Ref node = b.node("ADD", {3}, {input});
    EXPECT_EQ(tensor_of(weight, b.graph, b.inventory).bytes, 36u);  // two blocks of 18
    EXPECT_EQ(tensor_of(state, b.graph, b.inventory).type, "f16");
    EXPECT_EQ(tensor_of(input, b.graph, b.inventory).shape[0], 5);
    EXPECT_EQ(tensor_of(node, b.graph, b.inventory).bytes, 12u);
}

TEST(OpWork, ChargesNothingForViews) {
    GraphBuilder b(1);
    b.node("RESHAPE", {8}, {b.input({8})});
    EXPECT_EQ(work_of_last(b).family, OpFamily::View);
    EXPECT_EQ(work_of_last(b).bytes, 0);
}

// 2*4*3*5 flops; bytes: weight 4*3*2, x 4*5*4, result 3*5*4. In a tier of 512 tokens, of which five
// are asked for: its own rows are what counts (W10).
TEST(OpWork, CountsADenseProduct) {
    GraphBuilder b(512);
    const Ref w = b.weight("w", "f16", {4, 3});
    b.node("MUL_MAT", {3, 5}, {w, b.input({4, 5})});
    const OpWork work = work_of_last(b);
    EXPECT_EQ(work.family, OpFamily::MatMul);
    EXPECT_EQ(work.quant, "f16");
    EXPECT_EQ(work.flops, 120);
    EXPECT_EQ(work.bytes, 24 + 80 + 60);
    EXPECT_EQ(work.batch, 5);
    EXPECT_EQ(work.size, 12);
}

// 4 experts of [4, 3] f16 = 24 bytes each, top 1, 2 tokens: 1.75 distinct.
// flops 2*4*3*2; bytes 1.75*24 + x 4*2*4 + ids 2*4 + result 3*2*4
TEST(OpWork, CountsTheDistinctExpertsOfARoutedProduct) {
    GraphBuilder b(2);
    const Ref w = b.weight("ffn_up_exps", "f16", {4, 3, 4});
    b.node("MUL_MAT_ID", {3, 1, 2}, {w, b.input({4, 1, 2}), b.input("i32", {1, 2})});
    const OpWork work = work_of_last(b);
    EXPECT_EQ(work.flops, 48);
    EXPECT_DOUBLE_EQ(work.bytes, 1.75 * 24 + 32 + 8 + 24);
    EXPECT_DOUBLE_EQ(work.batch, 2 / 1.75);
}

// One token of 2 heads of 4 over 512 cells of 1 KV head: 2*(4+4)*2*512 flops.
// bytes: q 2*4*4, K and V 512*4*2 each, result 2*4*4
TEST(OpWork, CountsFlashAttention) {
    GraphBuilder b(1);
    const Ref k = b.cache_view(b.cache("cache_k_l0", 4, 512), 4, 1, 512);
    const Ref v = b.cache_view(b.cache("cache_v_l0", 4, 512), 4, 1, 512);
    b.node("FLASH_ATTN_EXT", {4, 2}, {b.input({4, 1, 2}), k, v});
    const OpWork full = work_of_last(b, 511);
    EXPECT_EQ(full.family, OpFamily::Attention);
    EXPECT_EQ(full.quant, "f16");
    EXPECT_EQ(full.flops, 2 * 8 * 2 * 512);
    EXPECT_EQ(full.bytes, 32 + 4096 + 4096 + 32);
    EXPECT_EQ(full.size, 512);
    // 101 tokens: padded to 256 of 512 cells, of which the mask hides 155
    const OpWork half = work_of_last(b, 100);
    EXPECT_DOUBLE_EQ(half.flops, 2 * 8 * 2 * 101);
    EXPECT_EQ(half.bytes, 32 + 2048 + 2048 + 32);
}

// 256 tokens at depth 0: 256 cells, of which a token sees 128.5 on average.
TEST(OpWork, CountsTheVisibleHalfOfABatchsOwnCells) {
    GraphBuilder b(256);
    const Ref k = b.cache_view(b.cache("cache_k_l0", 4, 512), 4, 1, 512);
    b.node("FLASH_ATTN_EXT", {4, 1, 256}, {b.input({4, 256}), k, k});
    EXPECT_DOUBLE_EQ(work_of_last(b, 0).flops, 2 * 8 * 256 * 128.5);
}

// Without flash attention: K*q, softmax and V*kq, all over half of the cells.
TEST(OpWork, ScalesPlainAttentionWithDepth) {
    GraphBuilder b(1);
    const Ref k = b.cache_view(b.cache("cache_k_l0", 4, 512), 4, 1, 512);
    const Ref v = b.node("VIEW", "f16", {512, 4}, {b.cache("cache_v_l0", 4, 512)});
    const Ref kq = b.node("MUL_MAT", {512, 1, 2}, {k, b.input({4, 1, 2})});
    EXPECT_EQ(work_of_last(b, 511).flops, 2 * 4 * 512 * 2);
    EXPECT_EQ(work_of_last(b, 0).flops, 2 * 4 * 256 * 2);
    // K 256*4*2, q 4*2*4, kq 256*2*4
    EXPECT_EQ(work_of_last(b, 0).bytes, 2048 + 32 + 2048);
    const Ref p = b.node("SOFT_MAX", {512, 1, 2}, {kq, b.input("f16", {512})});
    EXPECT_EQ(work_of_last(b, 511).bytes, 4096 + 1024 + 4096);
    EXPECT_EQ(work_of_last(b, 0).bytes, 2048 + 512 + 2048);  // the mask spans the cells too
    b.node("MUL_MAT", {4, 1, 2}, {v, p});
    EXPECT_EQ(work_of_last(b, 511).flops, 2 * 512 * 4 * 2);
    EXPECT_EQ(work_of_last(b, 0).flops, 2 * 256 * 4 * 2);
    EXPECT_EQ(work_of_last(b, 0).bytes, 2048 + 2048 + 32);
}

// The result of SET_ROWS is the whole cache; two rows are written. 2*8*4 + ids 2*8 + 2*8*2
TEST(OpWork, ChargesSetRowsForItsRowsOnly) {
    GraphBuilder b(2);
    const Ref cache = b.cache("cache_k_l0", 8, 1024);
    b.node("SET_ROWS", "f16", {8, 1024}, {b.input({8, 2}), b.input("i64", {2}), cache});
    EXPECT_EQ(work_of_last(b, 1000).bytes, 64 + 16 + 32);
}

// Three rows of 32 q4_0 elements: 3*18 read, ids 3*4, written as 3*32*4
TEST(OpWork, ChargesGetRowsForItsRowsOnly) {
    GraphBuilder b(3);
    const Ref table = b.weight("token_embd.weight", "q4_0", {32, 1000});
    b.node("GET_ROWS", {32, 3}, {table, b.input("i32", {3})});
    EXPECT_EQ(work_of_last(b).bytes, 54 + 12 + 384);
}

TEST(OpWork, ChargesACopyForSourceAndResult) {
    GraphBuilder b(1);
    b.node("CPY", "f16", {8}, {b.input({8}), b.input("f16", {8})});
    EXPECT_EQ(work_of_last(b).bytes, 32 + 16);
}

// A strided view's ggml size counts the gaps; its elements are what is read.
TEST(OpWork, CountsElementsOfStridedViews) {
    GraphBuilder b(1);
    const Ref view = b.node("VIEW", {8}, {b.input({64})});
    b.last().bytes = 1000;
    b.node("SCALE", {8}, {view});
    EXPECT_EQ(work_of_last(b).bytes, 32 + 32);
}

TEST(OpWork, CountsElementwiseOps) {
    GraphBuilder b(1);
    const Ref x = b.input({8});
    for (const auto& [op, flops] :
         {std::pair{"ROPE", 6.0}, {"RMS_NORM", 3.0}, {"SWIGLU", 2.0}, {"ADD", 1.0}, {"PAD", 0.0}}) {
        b.node(op, {8}, {x});
        EXPECT_EQ(work_of_last(b).flops, 8 * flops) << op;
        EXPECT_EQ(work_of_last(b).bytes, 64) << op;
    }
}

// The weights of 4 experts for each of 8 tokens, against a norm's.
TEST(OpWork, NamesAMulByAColumn) {
    GraphBuilder b(8);
    const Ref x = b.input({64, 4, 8});
    b.node("MUL", {64, 4, 8}, {x, b.input({1, 4, 8})});
    b.node("MUL", {64, 4, 8}, {x, b.input({64})});
    EXPECT_EQ(b.work_of(0).op, "MUL_COLUMN");
    EXPECT_EQ(b.work_of(1).op, "MUL");
}

// 10 tokens, 3 heads of 4 with a 4x4 state each: 8 flops per element and state row, 10 steps.
TEST(OpWork, CountsTheStepsOfARecurrence) {
    GraphBuilder b(10);
    const Ref v = b.input({4, 3, 10});
    b.node("GATED_DELTA_NET", {12, 14}, {v, v, v, b.input({4, 4, 3, 1})});
    const OpWork work = work_of_last(b);
    EXPECT_EQ(work.family, OpFamily::Scan);
    EXPECT_EQ(work.flops, 8 * 4 * 120);
    EXPECT_EQ(work.batch, 10);
    const Ref state = b.input({16, 4, 3});
    b.node("SSM_SCAN", {12, 10}, {state, v});
    EXPECT_EQ(work_of_last(b).flops, 6 * 16 * 120);
}

TEST(OpWork, CountsTheWindowOfAConvolution) {
    GraphBuilder b(2);
    b.node("SSM_CONV", {8, 2}, {b.input({5, 8}), b.weight("conv", "f32", {4, 8})});
    EXPECT_EQ(work_of_last(b).family, OpFamily::Other);
    EXPECT_EQ(work_of_last(b).flops, 2 * 4 * 16);
}

TEST(KvReach, CapsAtTheCellsOfAWindow) {
    GraphBuilder b(1);
    b.cache_view(b.cache("cache_k_l0", 4, 768), 4, 1, 768);
    EXPECT_EQ(kv_reach(b.graph, b.inventory, 300).fraction.back(), 512.0 / 768);
    EXPECT_EQ(kv_reach(b.graph, b.inventory, 10000).fraction.back(), 1.0);
}

// 4 sequences in 2 streams of 1024 cells: 2 of 200 tokens and 2 of the batch's 4 tokens each.
TEST(KvReach, CountsTheSequencesOfAStream) {
    GraphBuilder b(4, 4);
    b.cache_view(b.cache("cache_k_l0", 4, 1024, 2), 4, 1, 1024, 2);
    const KvReach reach = kv_reach(b.graph, b.inventory, 200);
    EXPECT_EQ(reach.cells.back(), 1024);
    EXPECT_EQ(reach.fraction.back(), 512.0 / 1024);  // 402, padded
}

TEST(KvReach, StopsWhereTheCellsAreSummed) {
    GraphBuilder b(1);
    const Ref k = b.cache_view(b.cache("cache_k_l0", 4, 512), 4, 1, 512);
    const Ref attn = b.node("FLASH_ATTN_EXT", {4}, {b.input({4}), k, k});
    b.node("ADD", {4}, {attn, attn});
    const KvReach reach = kv_reach(b.graph, b.inventory, 0);
    EXPECT_EQ(reach.cells[1], 512);
    EXPECT_EQ(reach.cells[2], 0);
    EXPECT_EQ(reach.cells[3], 0);
}

TEST(KvReach, LeavesRecurrentStateAlone) {
    GraphBuilder b(1);
    const Ref state = b.cache("cache_s_l0", 64, 512);
    b.inventory.states[0].kind = StateKind::Recurrent;
    b.node("VIEW", "f16", {64, 512, 1, 1}, {state});
    EXPECT_EQ(kv_reach(b.graph, b.inventory, 0).cells.back(), 0);
}

}  // namespace
}  // namespace pshard
