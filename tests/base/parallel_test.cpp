#include "base/parallel.h"

#include <array>
#include <atomic>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pshard {
namespace {

TEST(TwoThreads, DoEachPieceOnce) {
    for (const std::size_t n : {0U, 1U, 2U, 50U}) {
        std::array<std::atomic<int>, 50> times{};
        for_each_on_two_threads(n, [&](std::size_t i) { ++times.at(i); });
        for (std::size_t i = 0; i < times.size(); ++i) EXPECT_EQ(times.at(i), i < n ? 1 : 0);
    }
}

// Each piece waits for the other: one thread alone would never end.
TEST(TwoThreads, WorkSideBySide) {
    std::atomic<int> begun = 0;
    for_each_on_two_threads(2, [&](std::size_t) {
        ++begun;
        while (begun < 2) std::this_thread::yield();
    });
    EXPECT_EQ(begun, 2);
}

TEST(TwoThreads, TellTheCallersThreadHowFarTheyAre) {
    const std::thread::id caller = std::this_thread::get_id();
    std::vector<std::size_t> told;
    for_each_on_two_threads(
        20,
        [](std::size_t) {},
        [&](std::size_t done, std::size_t all) {
            EXPECT_EQ(std::this_thread::get_id(), caller);
            EXPECT_EQ(all, 20U);
            told.push_back(done);
        });
    EXPECT_TRUE(std::is_sorted(told.begin(), told.end()));
    ASSERT_FALSE(told.empty());
    EXPECT_EQ(told.back(), 20U);
}

TEST(Progress, IsToldOnceASecondAndNotBefore) {
    std::vector<std::string> lines;
    const OnProgress on_progress = told_each_second(
        "planning", "tiers", [&](std::string_view line) { lines.emplace_back(line); });
    on_progress(1, 8);
    EXPECT_THAT(lines, testing::IsEmpty());
    std::this_thread::sleep_for(std::chrono::milliseconds(1100));
    on_progress(3, 8);
    on_progress(4, 8);
    EXPECT_THAT(lines, testing::ElementsAre("planning: 3 of 8 tiers"));
    EXPECT_FALSE(told_each_second("planning", "tiers", {}));
}

}  // namespace
}  // namespace pshard
