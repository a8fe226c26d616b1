// Graphs in pieces, put together.
#include "runtime/piece_clock.h"

#include "support/testing.h"

namespace pshard {
namespace {

// Four states, two in each piece with states; a second passes at each begin and end.
class Pieces : public testing::Test {
protected:
    std::optional<TimedPasses> run(std::vector<int> states, std::uint32_t n_tokens = 3) {
        const Piece piece{&model_, 1, n_tokens, std::move(states)};
        std::optional<TimedPasses> before = clock_.begin(piece, 4, later());
        clock_.end(later());
        return before;
    }

    PieceClock::Time later() { return now_ += std::chrono::seconds(1); }

    static void expect_seconds(const std::optional<TimedPasses>& passes, Seconds seconds) {
        ASSERT_TRUE(passes.has_value());
        EXPECT_EQ(passes->tier, 1U);
        EXPECT_EQ(passes->n_passes, 1U);
        EXPECT_EQ(passes->n_tokens, 3U);
        EXPECT_DOUBLE_EQ(passes->seconds, seconds);
    }

    int model_ = 0;
    PieceClock clock_;
    PieceClock::Time now_{};
};

// 1-2, 3-4, and 5-6 for the head: 5 seconds from the first begin to the last end.
TEST_F(Pieces, MakeAGraph) {
    EXPECT_FALSE(run({0, 1}));
    EXPECT_FALSE(run({2, 3}));
    EXPECT_FALSE(run({}));
    expect_seconds(run({0, 1}), 5);
    EXPECT_FALSE(run({2, 3}));
    expect_seconds(run({0, 1}), 3);
}

// The context that drafts writes into the states of one layer.
TEST_F(Pieces, OfLessThanHalfAreNoGraph) {
    EXPECT_FALSE(run({0}));
    EXPECT_FALSE(run({0}));
    EXPECT_FALSE(run({}));
    EXPECT_FALSE(run({0}));
}

TEST_F(Pieces, OfOtherBatchesBeginAnother) {
    EXPECT_FALSE(run({0, 1}));
    expect_seconds(run({2, 3}, 4), 1);
}

TEST_F(Pieces, AreNotToldWhereSomethingCameBetweenOrStillRuns) {
    EXPECT_FALSE(run({0, 1}));
    clock_.drop();
    EXPECT_FALSE(run({0, 1}));
    clock_.begin({&model_, 1, 3, {2, 3}}, 4, later());
    EXPECT_FALSE(run({0, 1}));  // the second piece has not ended
}

}  // namespace
}  // namespace pshard
