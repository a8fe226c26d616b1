// What is told, and when, of device memory outside the arena. With a backend on a device:
// tests/backend/memory_lines_test.cpp.
#include "runtime/memory_watch.h"
#include "support/testing.h"

namespace pshard {
namespace {

// A device of 1000 MiB. The arenas may have 100 of them; the driver is expected to take 300.
class MemoryWatchTest : public testing::Test {
protected:
    MemoryWatch watch() {
        return {[this] { return free_; },
                [this](std::string_view line) { lines_.emplace_back(line); }};
    }

    // A pass of that tier of 1, 16 and 512 tokens, after which so much is taken outside.
    void pass(MemoryWatch& watch, std::uint32_t n_tokens, Bytes outside_mib) {
        free_ = 1000 * kMiB - claims_.arenas - outside_mib * kMiB;
        if (watch.is_news({{n_tokens}, {1}, {512}, n_tokens})) watch.look(claims_);
    }

    Bytes free_ = 1000 * kMiB;
    MemoryClaims claims_{80 * kMiB, 100 * kMiB, DriverMemory{300 * kMiB}};
    std::vector<std::string> lines_;
};

TEST_F(MemoryWatchTest, TellsOnceWhenBothEndsHaveRun) {
    MemoryWatch watch = this->watch();
    for (const std::uint32_t n_tokens : {16, 16, 512}) pass(watch, n_tokens, 200);
    EXPECT_THAT(lines_, IsEmpty());
    for (const std::uint32_t n_tokens : {1, 1, 512}) pass(watch, n_tokens, 290);
    EXPECT_THAT(
        lines_,
        ElementsAre("device memory: 80.0 MiB in the arena, 290.0 outside it (300.0 predicted)"));
}

TEST_F(MemoryWatchTest, TellsAfterSomePassesWhereNoLargeBatchComes) {
    MemoryWatch watch = this->watch();
    for (int i = 0; i < 15; ++i) pass(watch, 1, 200);
    EXPECT_THAT(lines_, IsEmpty());
    for (int i = 0; i < 15; ++i) pass(watch, 1, 200);
    EXPECT_THAT(lines_, ElementsAre(HasSubstr("200.0 outside it")));
}

// Within the tolerance; then beyond it, but the arena leaves as much of the budget; then beyond
// both.
TEST_F(MemoryWatchTest, WarnsOnceOfWhatBudgetAndPredictionDoNotHold) {
    EXPECT_EQ(outside_excess(claims_, 364 * kMiB), "");
    EXPECT_THAT(outside_excess(claims_, 365 * kMiB), HasSubstr("in all 45.0 MiB more than"));
    claims_.arenas = 35 * kMiB;
    EXPECT_EQ(outside_excess(claims_, 365 * kMiB), "");
    EXPECT_THAT(outside_excess(claims_, 366 * kMiB), HasSubstr("in all 1.0 MiB more than"));
    MemoryWatch watch = this->watch();
    pass(watch, 512, 400);
    pass(watch, 1, 400);
    EXPECT_THAT(lines_,
                ElementsAre(AllOf(StartsWith("warning: 400.0 MiB of device memory"),
                                  HasSubstr("300.0 were predicted"),
                                  HasSubstr("budget of 100 MiB")),
                            StartsWith("device memory: ")));
}

// A pool that grows with the first large batch.
TEST_F(MemoryWatchTest, WarnsOfATierThatComesLate) {
    MemoryWatch watch = this->watch();
    for (int i = 0; i < 20; ++i) pass(watch, 1, 200);
    pass(watch, 512, 500);
    EXPECT_THAT(lines_, ElementsAre(StartsWith("device memory: "), StartsWith("warning: ")));
}

// A captured graph, which the second pass of a tier brings, is there at the third.
TEST_F(MemoryWatchTest, WarnsOfWhatATierKeepsWhenItComesAgain) {
    MemoryWatch watch = this->watch();
    for (int i = 0; i < 2; ++i) pass(watch, 512, 200);
    pass(watch, 512, 500);
    EXPECT_THAT(lines_, ElementsAre(StartsWith("warning: 500.0 MiB")));
}

// A pool that grows with the caches: 8 batches of 512 tokens are 4096, more than twice what there
// was at the third.
TEST_F(MemoryWatchTest, WarnsOfWhatGrowsWithTheContext) {
    MemoryWatch watch = this->watch();
    for (int i = 0; i < 3; ++i) pass(watch, 512, 200);
    for (int i = 3; i < 7; ++i) pass(watch, 512, 500);
    EXPECT_THAT(lines_, IsEmpty());
    pass(watch, 512, 500);
    EXPECT_THAT(lines_, ElementsAre(StartsWith("warning: 500.0 MiB")));
}

TEST_F(MemoryWatchTest, WithoutAPredictionTellsAndNeverWarns) {
    claims_.driver.reset();
    MemoryWatch watch = this->watch();
    pass(watch, 512, 900);
    pass(watch, 1, 900);
    EXPECT_THAT(lines_, ElementsAre(HasSubstr("900.0 outside it (without a prediction)")));
}

// On CUDA the first question makes the context: what it takes no process misses.
TEST_F(MemoryWatchTest, CountsWhatWasTakenBeforeItCouldAsk) {
    claims_.driver->unseen = 250 * kMiB;
    MemoryWatch watch = this->watch();
    pass(watch, 512, 20);
    pass(watch, 1, 40);
    pass(watch, 16, 150);
    EXPECT_THAT(lines_,
                ElementsAre(HasSubstr(" 290.0 outside it (300.0 predicted)"),
                            HasSubstr("400.0 MiB of device memory are taken outside the arena")));
}

// Another program has given memory back.
TEST_F(MemoryWatchTest, SaysWhatCannotBeMeasured) {
    EXPECT_EQ(taken_outside(100, 20, 80), 0U);
    EXPECT_EQ(taken_outside(100, 21, 80), std::nullopt);
    EXPECT_EQ(taken_outside(100, 101, 0), std::nullopt);
    MemoryWatch watch = this->watch();
    watch.is_news({{1}, {1}, {512}});
    ASSERT_TRUE(watch.is_news({{512}, {1}, {512}}));
    watch.look(claims_);
    EXPECT_THAT(
        lines_,
        ElementsAre("device memory: 80.0 MiB in the arena, not measurable outside it, as the "
                    "device's free memory has not shrunk by as much (300.0 predicted)"));
}

TEST_F(MemoryWatchTest, IsSilentWhereTheDeviceTellsNothing) {
    MemoryWatch shared({}, [&](std::string_view line) { lines_.emplace_back(line); });
    EXPECT_FALSE(shared.is_news({{1}, {1}, {1}}));
    free_ = 0;
    MemoryWatch unknown = watch();
    EXPECT_FALSE(unknown.is_news({{1}, {1}, {1}}));
}

}  // namespace
}  // namespace pshard
