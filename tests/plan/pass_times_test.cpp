// Seconds of batches that run behind each other.
#include "plan/pass_times.h"

#include <algorithm>

#include "support/testing.h"

namespace pshard {
namespace {

// Even between the points: 2 s empty, 4 s behind 100 tokens, 10 s behind 400.
const PassTimes kTimes{10, 1, {{0, 2}, {100, 4}, {400, 10}}};

TEST(PassTimes, AreEvenBetweenPoints) {
    EXPECT_EQ(seconds_behind(kTimes, 0), 2);
    EXPECT_EQ(seconds_behind(kTimes, 50), 3);
    EXPECT_EQ(seconds_behind(kTimes, 100), 4);
    EXPECT_EQ(seconds_behind(kTimes, 250), 7);
    EXPECT_EQ(seconds_behind(kTimes, 9999), 10);
    EXPECT_EQ(seconds_behind({10, 1, {{50, 3}}}, 0), 3);
}

// 30 tokens: 2 + 2.2 + 2.4 s. 25: half of the last. 5: a whole batch.
TEST(PassTimes, PromptIsASumOfPasses) {
    EXPECT_DOUBLE_EQ(prompt_seconds(kTimes, 30, 0), 6.6);
    EXPECT_DOUBLE_EQ(prompt_seconds(kTimes, 25, 0), 5.4);
    EXPECT_DOUBLE_EQ(prompt_seconds(kTimes, 5, 0), 2);
}

// Two sequences have five tokens of each batch: 2 + 2.1 s.
TEST(PassTimes, SequencesShareABatch) {
    PassTimes shared = kTimes;
    shared.n_seqs = 2;
    EXPECT_DOUBLE_EQ(prompt_seconds(shared, 20, 0), 4.1);
}

// The cache holds 410 tokens: a prompt of 20 begins behind 390 at most. 9.8 + 10 s.
TEST(PassTimes, PromptFitsIntoTheCache) {
    EXPECT_DOUBLE_EQ(prompt_seconds(kTimes, 20, 5000), 19.8);
    EXPECT_DOUBLE_EQ(prompt_seconds(kTimes, 20, 390), 19.8);
}

Seconds sum_by_loop(const PassTimes& times, std::uint32_t n_tokens, std::uint32_t depth) {
    Seconds sum = 0;
    for (std::uint32_t at = 0; at < n_tokens; at += times.n_tokens) {
        sum += seconds_behind(times, depth + at / times.n_seqs);
    }
    return sum;
}

TEST(PassTimes, SumIsThatOfALoop) {
    for (const std::uint32_t n_seqs : {1U, 2U}) {
        const PassTimes times{16, n_seqs, {{0, 1}, {70, 1.5}, {512, 9}, {600, 9.5}, {16384, 70}}};
        for (const std::uint32_t depth : {0U, 1U, 69U, 70U, 71U, 500U, 4000U}) {
            for (const std::uint32_t n_tokens : {16U, 32U, 512U, 1024U, 12288U}) {
                const Seconds loop = sum_by_loop(times, n_tokens, depth);
                EXPECT_NEAR(prompt_seconds(times, n_tokens, depth), loop, 1e-9 * loop)
                    << n_seqs << " " << depth << " " << n_tokens;
            }
        }
    }
}

// A window of 1024 tokens is full at 1024: no even line from 0 to 16384 tells that.
TEST(PassTimes, PointsAreAddedWhereTheSecondsBend) {
    const auto seconds = [](std::uint32_t depth) -> std::optional<Seconds> {
        return 1 + std::min(depth, 1024U) / 1024.0 + depth / 16384.0;
    };
    const PassTimes times{512, 1, refined({{0, 1}, {8192, 2.5}, {16384, 3}}, seconds)};
    for (std::uint32_t depth = 0; depth <= 16384; depth += 128) {
        EXPECT_NEAR(seconds_behind(times, depth), *seconds(depth), 0.005) << depth;
    }
    EXPECT_LT(times.points.size(), 9U);
    EXPECT_TRUE(std::ranges::is_sorted(times.points, {}, &PassPoint::depth));
}

// One depth that is known twice is one point, and nothing is asked for between what lies near.
TEST(PassTimes, PointsAreKnownOnce) {
    const auto unasked = [](std::uint32_t) -> std::optional<Seconds> { return 1e9; };
    EXPECT_THAT(refined({{0, 1}, {0, 1}, {300, 2}}, unasked),
                ElementsAre(PassPoint{0, 1}, PassPoint{300, 2}));
}

}  // namespace
}  // namespace pshard
