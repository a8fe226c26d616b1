#include "probe/sampler.h"
#include "support/testing.h"

namespace pshard {
namespace {

// Plays back times; the last one for ever.
struct Tape {
    std::vector<Seconds> times;
    std::size_t at = 0;

    Seconds operator()() { return times[std::min(at++, times.size() - 1)]; }
};

TEST(Sampler, TakesTheMedianAndTheQuartiles) {
    // sorted 1 2 3 4 5: quartiles 2 and 4
    const Sample sample = summarize({5, 1, 4, 2, 3});
    EXPECT_DOUBLE_EQ(sample.median, 3);
    EXPECT_DOUBLE_EQ(sample.spread, 2.0 / 3);
    EXPECT_EQ(sample.count, 5);
    EXPECT_DOUBLE_EQ(summarize({1, 2}).median, 1.5);
    EXPECT_DOUBLE_EQ(summarize({7}).spread, 0);
}

TEST(Sampler, DoesNotCountTheWarmUp) {
    Tape tape{{100, 1}};
    EXPECT_DOUBLE_EQ(sample(std::ref(tape), {.budget = 0}).median, 1);
    EXPECT_EQ(tape.at, 6U);  // one and the least of five
}

TEST(Sampler, MeasuresUntilTheBudgetIsUsed) {
    Tape tape{{1}};
    EXPECT_EQ(sample(std::ref(tape), {.budget = 8}).count, 8);
    Tape shorter{{1}};
    EXPECT_EQ(sample(std::ref(shorter), {.max_samples = 6, .budget = 8}).count, 6);
}

TEST(Sampler, MeasuresANoisyThingAgainAndKeepsTheCalmerRound) {
    const SamplePolicy five{.budget = 0};
    Tape calms_down{{1, 1, 5, 1, 5, 3, 2, 2, 2, 2, 2}};
    EXPECT_EQ(sample(std::ref(calms_down), five), (Sample{2, 2, 0, 5}));
    EXPECT_EQ(calms_down.at, 11U);
    Tape gets_worse{{1, 2, 2, 2, 3, 3, 1, 9, 1, 9, 5}};
    EXPECT_DOUBLE_EQ(sample(std::ref(gets_worse), five).median, 2);
}

// A run is a sum of such times; one of twenty may be anything.
TEST(Sampler, MeansLeaveTheLongestTwentiethOut) {
    std::vector<Seconds> times(19, 1);
    times[3] = 20;
    EXPECT_DOUBLE_EQ(summarize(times).mean, 2);
    times.push_back(500);
    EXPECT_DOUBLE_EQ(summarize(times).mean, 2);
    EXPECT_DOUBLE_EQ(summarize(times).median, 1);
}

// All nine sorted: 1 2 2 4 4 5 6 7 9, quartiles 2 and 6, median 4.
TEST(Sampler, TakesTheTimesOfAllRoundsTogether) {
    const Sample all = pooled({{5, 6, 9}, {}, {2, 1, 2}, {4, 4, 7}});
    EXPECT_DOUBLE_EQ(all.median, 4);
    EXPECT_DOUBLE_EQ(all.spread, 1);
    EXPECT_EQ(all.count, 9);
}

TEST(Sampler, DoesNotMeasureACalmThingAgain) {
    Tape tape{{1, 1, 1, 1, 1, 1, 9}};
    EXPECT_EQ(sample(std::ref(tape), {.budget = 0}), (Sample{1, 1, 0, 5}));
}

}  // namespace
}  // namespace pshard
