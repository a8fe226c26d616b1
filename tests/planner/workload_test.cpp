#include "planner/workload.h"
#include "support/testing.h"
#include "support/toy_planning.h"

namespace pshard {
namespace {

// Half a sequence, 512 to 4096 tokens, and no more than the sequence.
TEST(UsualPrompt, IsHalfASequence) {
    EXPECT_EQ(usual_prompt(0), 512U);
    EXPECT_EQ(usual_prompt(300), 300U);
    EXPECT_EQ(usual_prompt(800), 512U);
    EXPECT_EQ(usual_prompt(4096), 2048U);
    EXPECT_EQ(usual_prompt(65536), 4096U);
}

// A prompt of 100 tokens: 100 passes of 1 s, 6.25 of 10 s, one of 70 s that is not full.
TEST(BestUbatch, IsThroughThePromptFirst) {
    EXPECT_EQ(best_ubatch({{1, 1}, {16, 10}, {512, 70}}, 100), 16U);
    EXPECT_EQ(best_ubatch({{1, 1}, {16, 10}, {512, 60}}, 100), 512U);
    EXPECT_EQ(best_ubatch({{1, 1}, {16, 0}}, 100), 1U);  // not predicted
    EXPECT_EQ(best_ubatch({{16, 0}}, 100), 0U);
    EXPECT_EQ(best_ubatch({}, 100), 0U);
}

// Two sequences of 64 and 5 tokens: 2 * 64/16 passes of 10 s, and 5 passes of the tier of 4, 2 s.
TEST(PlannedSeconds, AreOfPromptsAndAnswers) {
    const std::vector<TierPass> tiers = {{1, 1}, {4, 2}, {16, 10}};
    EXPECT_EQ(planned_seconds(tiers, {64, 5, 2}, 16), 2 * 4 * 10 + 5 * 2);
    EXPECT_EQ(planned_seconds(tiers, {8, 5, 1}, 16), 10 + 5 * 1);  // half a batch
    EXPECT_EQ(planned_seconds(tiers, {64, 5, 2}, 32), std::nullopt);
    EXPECT_EQ(planned_seconds({{16, 0}}, {64, 5, 1}, 16), std::nullopt);
}

// A prompt of 3 tokens comes in one batch, however many tokens a batch might have.
TEST(PlannedSeconds, TakeAShortPromptInTheTierThatHoldsIt) {
    const std::vector<TierPass> tiers = {{1, 1}, {4, 2}, {16, 10}};
    EXPECT_EQ(planned_seconds(tiers, {3, 5, 1}, 16), 2 + 5 * 1);
    EXPECT_EQ(planned_seconds(tiers, {3, 5, 1}, 1), 3 * 1 + 5 * 1);
}

// 16 tokens: 4 passes of 4 tokens take 8 s.
TEST(SlowUbatchNote, NamesTheFasterOne) {
    const std::vector<TierPass> tiers = {{1, 1}, {4, 2}, {16, 10}};
    EXPECT_EQ(
        slow_ubatch_note(tiers, 16),
        "-ub 16 is slower than smaller batches one after the other: 1.60 t/s, where -ub 4 has "
        "2.00");
    EXPECT_EQ(slow_ubatch_note(tiers, 4), std::nullopt);
    EXPECT_EQ(slow_ubatch_note(tiers, 8), std::nullopt);  // no tier
    EXPECT_EQ(slow_ubatch_note({{4, 2}, {16, 0}}, 16), std::nullopt);
}

using Passes = test::ToyPlanning;

TEST_F(Passes, AreOfTheWinners) {
    const std::vector<TierPass> passes = passes_of(planning_);
    ASSERT_EQ(passes.size(), 2U);
    EXPECT_EQ(passes[1].n_tokens, 4U);
    EXPECT_EQ(passes[1].seconds, planning_.plan.tiers[1].winner()->prediction->pass_seconds);
    planning_.profile = nullptr;
    search();
    EXPECT_EQ(passes_of(planning_)[1].seconds, 0);
}

}  // namespace
}  // namespace pshard
