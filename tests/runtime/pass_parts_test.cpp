// When a small batch stays with a larger tier's plan.
#include "ggml_kit/handles.h"
#include "runtime/model.h"
#include "runtime/padding.h"
#include "runtime/state_rows.h"
#include "runtime/stopwatch.h"
#include "runtime/tier_picker.h"
#include "support/graph_maker.h"
#include "support/testing.h"

namespace pshard {
namespace {

using testing::Pair;

// Tiers of 1, 16 and 512 tokens; the last streams 100 bytes a pass.
TierTraffic traffic(Bytes there_and_back) {
    TierTraffic traffic;
    traffic.tiers = {{1}, {16}, {512}};
    traffic.streamed = {0, 40, 100};
    traffic.moves.assign(3, std::vector<Bytes>(3, there_and_back / 2));
    return traffic;
}

TEST(TierPicker, TakesTheSmallestTierThatHoldsTheBatch) {
    TierPicker picker(traffic(0));
    EXPECT_EQ(picker.next({1}, 0), 0U);
    EXPECT_EQ(picker.next({2}, 0), 1U);
    EXPECT_EQ(picker.next({16}, 1), 1U);
    EXPECT_EQ(picker.next({17}, 1), 2U);
}

TEST(TierPicker, GivesTheLargestTierToWhatNoneHolds) {
    TierPicker picker(traffic(0));
    EXPECT_EQ(picker.next({513}, 0), 2U);
}

TEST(TierPicker, GoesAtOnceWhereOnePassOfWaitingCostsAsMuchAsTheWay) {
    TierPicker picker(traffic(100));
    EXPECT_EQ(picker.next({1}, 2), 0U);
}

TEST(TierPicker, StaysUntilWaitingHasCostTheWay) {
    TierPicker picker(traffic(250));
    EXPECT_EQ(picker.next({1}, 2), 2U);  // 100
    EXPECT_EQ(picker.next({1}, 2), 2U);  // 200
    EXPECT_EQ(picker.next({1}, 2), 0U);  // 300
}

TEST(TierPicker, CountsAnewAfterABatchThatBelongsWhereItRuns) {
    TierPicker picker(traffic(250));
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(picker.next({1}, 2), 2U);
        EXPECT_EQ(picker.next({1}, 2), 2U);
        EXPECT_EQ(picker.next({512}, 2), 2U);
    }
}

TEST(TierPicker, GoesUpAtOnce) {
    TierPicker picker(traffic(1000));
    EXPECT_EQ(picker.next({512}, 0), 2U);
}

// What cannot be weighed by uploads is left to the plan.
TEST(TierPicker, GoesAtOnceWhereWaitingUploadsNoMore) {
    TierTraffic even = traffic(1000);
    even.streamed = {100, 100, 100};
    TierPicker picker(even);
    EXPECT_EQ(picker.next({1}, 2), 0U);
}

ggml_tensor indices_of(std::array<std::int64_t, 4>& values) {
    ggml_tensor tensor{};
    tensor.type = GGML_TYPE_I64;
    tensor.ne[0] = std::int64_t(values.size());
    tensor.ne[1] = tensor.ne[2] = tensor.ne[3] = 1;
    tensor.data = values.data();
    return tensor;
}

WrittenRows rows(const ggml_tensor& indices, Bytes row_bytes) {
    WrittenRows written;
    written.indices = &indices;
    written.first = 1000;
    written.row_bytes = written.stride = row_bytes;
    written.n_rows = indices.ne[0];
    return written;
}

TEST(WrittenRanges, AreInOrderAndJoinedWhereTheyMeet) {
    std::array<std::int64_t, 4> values = {7, 2, 3, 7};
    const ggml_tensor indices = indices_of(values);
    EXPECT_THAT(written_ranges(rows(indices, 100)),
                ElementsAre(Pair(1200, 1400), Pair(1700, 1800)));
}

TEST(WrittenRanges, OfShortRowsAreOneCopy) {
    std::array<std::int64_t, 4> values = {7, 2, 3, 7};
    const ggml_tensor indices = indices_of(values);
    EXPECT_THAT(written_ranges(rows(indices, 2)), ElementsAre(Pair(1004, 1016)));
}

TEST(WrittenRanges, AreTheWholeSpanWhereTheHostDoesNotKnow) {
    WrittenRows written;
    written.first = 64;
    written.row_bytes = written.stride = 256;
    written.n_rows = 1;
    EXPECT_THAT(written_ranges(written), ElementsAre(Pair(64, 320)));
}

// ---- what a streamed state brings ----

// A q8_0 cache of 64 cells with 2 heads of 128 values, of which a product reads the first `cells`.
Bytes read_end_of_keys(std::int64_t cells, std::int64_t head) {
    const GgmlContext context(16);
    ggml_tensor* cache = ggml_new_tensor_2d(context.get(), GGML_TYPE_Q8_0, 2 * head, 64);
    const std::size_t row = ggml_row_size(GGML_TYPE_Q8_0, head);
    ggml_tensor* keys = ggml_view_3d(context.get(), cache, head, cells, 2, 2 * row, row, 0);
    ggml_tensor* queries = ggml_new_tensor_3d(context.get(), GGML_TYPE_F32, head, 16, 2);
    ggml_cgraph* graph = ggml_new_graph_custom(context.get(), 16, false);
    ggml_build_forward_expand(graph, ggml_mul_mat(context.get(), keys, queries));
    return state_access(*graph, cache).read_end;
}

// CUDA's kernel for more than 8 tokens reads 256 values at a time: 128 of a head, and 4 blocks of
// 34 bytes behind them, which are of the next row, or of another layer where nothing brings them.
TEST(StateAccess, HasWhatKernelsReadBehindTheLastRow) {
    EXPECT_EQ(read_end_of_keys(32, 128), Bytes{32 * 272 + 136});
    EXPECT_EQ(read_end_of_keys(64, 128), Bytes{64 * 272});  // there is no more
    EXPECT_EQ(read_end_of_keys(32, 256), Bytes{32 * 544});
}

// Zeroes behind quantized tensors, where the device gives them room.
TEST(Padding, IsTheRoomBehindQuantizedTensors) {
    const GgmlContext context(4);
    const ggml_tensor* keys = ggml_new_tensor_2d(context.get(), GGML_TYPE_Q8_0, 128, 4);
    EXPECT_EQ(padding_of(*keys, 4 * 136 + 408), Bytes{408});
    EXPECT_EQ(padding_of(*keys, 4 * 136), Bytes{0});
    const ggml_tensor* values = ggml_new_tensor_2d(context.get(), GGML_TYPE_F16, 128, 4);
    EXPECT_EQ(padding_of(*values, 4096), Bytes{0});
}

// How many tokens a graph works on, as nobody tells the device.

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

// How the time of a step follows from what is seen of it.

const Schedule kSchedule{{
    {ScheduleLane::Upload, Load{0}},
    {ScheduleLane::Upload, Wait{4, true}},
    {ScheduleLane::Upload, Load{1}},
    {ScheduleLane::Gpu, Wait{0, false}},
    {ScheduleLane::Gpu, Compute{0}},
    {ScheduleLane::Gpu, Wait{2, false}},
    {ScheduleLane::Gpu, Compute{1}},
}};

// Everything was issued by second 11.
const StepTimes kTimes = {{10, 12}, {}, {10, 15}, {}, {11, 14}, {}, {11, 18}};

TEST(MeasuredPass, BeginsAStepWhereItsLaneAndItsWaitsLetIt) {
    const MeasuredPass pass = measured_pass(kSchedule, kTimes, {});
    EXPECT_EQ(pass.begin, 10);
    EXPECT_EQ(pass.timeline.end, 8);
    EXPECT_THAT(pass.timeline.intervals,
                ElementsAre(Interval{0, 0, 2},    // at once
                            Interval{4, 2, 4},    // after its load
                            Interval{2, 2, 5},    // after the load before it
                            Interval{6, 5, 8}));  // after its load, which ends after stage 0
}

TEST(MeasuredPass, WaitsForThePassBefore) {
    StepTimes before(kSchedule.steps.size());
    before[4].ended = 13;
    const MeasuredPass pass = measured_pass(kSchedule, kTimes, before);
    EXPECT_EQ(pass.timeline.intervals[2], (Interval{2, 3, 5}));
}

TEST(MeasuredPass, BeginsAfterTheLanesOfThePassBefore) {
    StepTimes before(kSchedule.steps.size());
    before[2].ended = 11;
    const MeasuredPass pass = measured_pass(kSchedule, kTimes, before);
    EXPECT_EQ(pass.begin, 11);
}

TEST(MeasuredPass, NeverBeginsBeforeTheStepIsIssued) {
    StepTimes times = kTimes;
    times[6] = {17, 18};
    const MeasuredPass pass = measured_pass(kSchedule, times, {});
    EXPECT_EQ(pass.timeline.intervals.back(), (Interval{6, 7, 8}));
}

TEST(MeasuredPass, OfNothingIsNothing) {
    EXPECT_EQ(measured_pass({}, {}, {}).timeline, Timeline{});
}

TEST(Stopwatch, NotesTheEndOfEachWaitInTurn) {
    Stopwatch watch;
    StepTimes times(2);
    Stopwatch::Tickets tickets{};
    bool first_done = false;
    bool in_turn = false;
    watch.watch(
        ScheduleLane::Gpu, [&] { first_done = true; }, times[0].ended, tickets);
    watch.watch(
        ScheduleLane::Gpu, [&] { in_turn = first_done; }, times[1].ended, tickets);
    watch.wait_for(tickets);
    EXPECT_TRUE(in_turn);
    EXPECT_GT(times[0].ended, 0);
    EXPECT_GE(times[1].ended, times[0].ended);
    EXPECT_LE(times[1].ended, watch.now());
}

}  // namespace
}  // namespace pshard
