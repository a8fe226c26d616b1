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

// A tier whose passes take so long behind any depth; 0: not predicted.
PassTimes tier(std::uint32_t n_tokens, Seconds seconds) {
    PassTimes times{n_tokens, 1, {}};
    if (seconds > 0) times.points = {{0, seconds}};
    return times;
}

// A prompt of 100 tokens: 100 passes of 1 s, 6.25 of 10 s, one of 70 s that is not full.
TEST(BestUbatch, IsThroughThePromptFirst) {
    const Workload work{.prompt = 100};
    EXPECT_EQ(best_ubatch({tier(1, 1), tier(16, 10), tier(512, 70)}, work), 16U);
    EXPECT_EQ(best_ubatch({tier(1, 1), tier(16, 10), tier(512, 60)}, work), 512U);
    EXPECT_EQ(best_ubatch({tier(1, 1), tier(16, 0)}, work), 1U);  // not predicted
    EXPECT_EQ(best_ubatch({tier(16, 0)}, work), 0U);
    EXPECT_EQ(best_ubatch({}, work), 0U);
}

// A prompt of 8: passes of 4 take 5 + 9 s, the one of 8 takes 13. At the depth that both are known
// at, 4 would be faster: 5 + 5.
TEST(BestUbatch, RunsBatchesBehindEachOther) {
    const PassTimes small{4, 1, {{0, 5}, {4, 9}}};
    EXPECT_EQ(best_ubatch({small, tier(8, 13)}, {.prompt = 8}), 8U);
    EXPECT_EQ(best_ubatch({small, tier(8, 15)}, {.prompt = 8}), 4U);
}

// 70B beside a draft model: the CPU computes prompts in batches of 512, and batches of 128 have
// room on the GPU. What the link bounds has more batches, each as long.
TEST(SmallerUbatches, MayPayWhereTheSmallestIsFastOrOnTheCpu) {
    EXPECT_TRUE(may_pay_below(2515, BoundBy::CpuCompute, 160));
    EXPECT_TRUE(may_pay_below(2515, BoundBy::CpuMemory, 160));
    EXPECT_TRUE(may_pay_below(21, BoundBy::Link, 20));
    EXPECT_TRUE(may_pay_below(20, BoundBy::GpuCompute, 20));
    EXPECT_FALSE(may_pay_below(30, BoundBy::Link, 20));
}

TEST(SecondsText, HasThreeDigitsOrNoFraction) {
    EXPECT_EQ(seconds_text(4.567), "4.57 s");
    EXPECT_EQ(seconds_text(999.4), "999 s");
    EXPECT_EQ(seconds_text(2515.4), "2515 s");
}

// Two sequences of 64 and 5 tokens: 2 * 64/16 passes of 10 s, and 5 passes of the tier of 4, 2 s.
TEST(PlannedSeconds, AreOfPromptsAndAnswers) {
    const std::vector<PassTimes> tiers = {tier(1, 1), tier(4, 2), tier(16, 10)};
    EXPECT_EQ(planned_seconds(tiers, {64, 5, 2}, 16), 2 * 4 * 10 + 5 * 2);
    EXPECT_EQ(planned_seconds(tiers, {8, 5, 1}, 16), 10 + 5 * 1);  // half a batch
    EXPECT_EQ(planned_seconds(tiers, {64, 5, 2}, 32), std::nullopt);
    EXPECT_EQ(planned_seconds({tier(16, 0)}, {64, 5, 1}, 16), std::nullopt);
}

// A prompt of 3 tokens comes in one batch, however many tokens a batch might have.
TEST(PlannedSeconds, TakeAShortPromptInTheTierThatHoldsIt) {
    const std::vector<PassTimes> tiers = {tier(1, 1), tier(4, 2), tier(16, 10)};
    EXPECT_EQ(planned_seconds(tiers, {3, 5, 1}, 16), 2 + 5 * 1);
    EXPECT_EQ(planned_seconds(tiers, {3, 5, 1}, 1), 3 * 1 + 5 * 1);
}

// Larger or smaller; what is within 1 % is as good.
TEST(SlowUbatchNote, NamesTheFastest) {
    const std::vector<UbatchTime> times = {{512, 61.7}, {1024, 27}, {2048, 26.74}, {4096, 80}};
    const Workload work{4096, 128};
    EXPECT_EQ(
        slow_ubatch_note(times, work, 512),
        "-ub 512 is slower than -ub 2048: 4096 prompt and 128 answer tokens take 61.7 s, there "
        "26.7 s");
    EXPECT_THAT(slow_ubatch_note(times, work, 4096).value_or(""), HasSubstr("than -ub 2048: "));
    EXPECT_EQ(slow_ubatch_note(times, work, 1024), std::nullopt);
    EXPECT_EQ(slow_ubatch_note(times, work, 2048), std::nullopt);
    EXPECT_EQ(slow_ubatch_note(times, work, 256), std::nullopt);  // not among them
}

using Times = test::ToyPlanning;

TEST_F(Times, AreOfTheWinners) {
    const std::vector<PassTimes> times = times_of(planning_);
    ASSERT_EQ(times.size(), 2U);
    EXPECT_EQ(times[1].n_tokens, 4U);
    const Prediction& plan = *planning_.plan.tiers[1].winner()->prediction;
    EXPECT_DOUBLE_EQ(seconds_behind(times[1], plan.depth_tokens), plan.pass_seconds);
    planning_.profile = nullptr;
    search();
    EXPECT_FALSE(times_of(planning_)[1].known());
}

// Of 3 sequences of 256 tokens, 2 share a batch of 8, or all 3 in a recurrent model: so the passes
// that fill the cache begin at another depth.
TEST(TimesOfARegistry, AreOfTheSequencesThatWerePlanned) {
    const ContextSpec context{.n_ctx = 768, .n_seq_max = 3};
    const auto n_seqs = [&](std::uint32_t last) {
        RegistryVariant variant;
        RegistryTier& tier = variant.tiers.emplace_back();
        tier.key = {8};
        tier.pshard.passes = {{0, 1.0}, {last, 2.0}};
        return times_of(variant, context).at(0).n_seqs;
    };
    EXPECT_EQ(n_seqs(256 - 4), 2U);
    EXPECT_EQ(n_seqs(256 - 3), 3U);
    EXPECT_EQ(n_seqs(100), 2U);
}

}  // namespace
}  // namespace pshard
