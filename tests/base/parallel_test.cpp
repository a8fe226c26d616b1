#include "base/parallel.h"

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "support/testing.h"

namespace pshard {
namespace {

TEST(TwoThreads, DoEachPieceOnce) {
    for (const std::size_t n : {0U, 1U, 2U, 50U}) {
        std::array<std::atomic<int>, 50> times{};
        for_each_on_two_threads(n, [&](std::size_t i) { ++times.at(i); });
        for (std::size_t i = 0; i < times.size(); ++i) EXPECT_EQ(times.at(i), i < n ? 1 : 0);
    }
}

// Waits until the other thread has set it; false after a time that no machine needs.
bool is_set_soon(const std::atomic<bool>& flag) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!flag && std::chrono::steady_clock::now() < end) std::this_thread::yield();
    return flag;
}

// Each piece waits for the other: one thread alone would see neither begun.
TEST(TwoThreads, WorkSideBySide) {
    std::array<std::atomic<bool>, 2> begun{};
    std::array<std::atomic<bool>, 2> met{};
    for_each_on_two_threads(2, [&](std::size_t i) {
        begun.at(i) = true;
        met.at(i) = is_set_soon(begun.at(1 - i));
    });
    EXPECT_TRUE(met[0] && met[1]);
}

// The default stack of a thread, as large as no address space.
class NoThreadStarts {
public:
    NoThreadStarts() {
        pthread_getattr_default_np(&before_);
        pthread_attr_t huge;
        pthread_attr_init(&huge);
        pthread_attr_setstacksize(&huge, std::size_t{1} << 60U);
        pthread_setattr_default_np(&huge);
        pthread_attr_destroy(&huge);
    }

    ~NoThreadStarts() {
        pthread_setattr_default_np(&before_);
        pthread_attr_destroy(&before_);
    }

    NoThreadStarts(const NoThreadStarts&) = delete;
    NoThreadStarts& operator=(const NoThreadStarts&) = delete;

private:
    pthread_attr_t before_{};
};

TEST(TwoThreads, AreOneWhereNoOtherStarts) {
    const NoThreadStarts limit;
    ASSERT_FALSE(started_thread([] {}).joinable());
    const std::thread::id caller = std::this_thread::get_id();
    std::vector<std::size_t> done;
    for_each_on_two_threads(3, [&](std::size_t i) {
        EXPECT_EQ(std::this_thread::get_id(), caller);
        done.push_back(i);
    });
    EXPECT_THAT(done, testing::ElementsAre(0, 1, 2));
}

// Both threads hold a piece before one of them throws, so that each throws once.
TEST(TwoThreads, ThrowToTheCallerWhatEitherThrows) {
    for (const bool caller_throws : {false, true}) {
        const std::thread::id caller = std::this_thread::get_id();
        std::array<std::atomic<bool>, 2> begun{};
        std::atomic<int> pieces = 0;
        const auto work = [&](std::size_t i) {
            ++pieces;
            if (i > 1) return;
            begun.at(i) = true;
            EXPECT_TRUE(is_set_soon(begun.at(1 - i)));
            if ((std::this_thread::get_id() == caller) == caller_throws) {
                throw std::runtime_error("thrown");
            }
        };
        EXPECT_THROW(for_each_on_two_threads(2, work), std::runtime_error);
        EXPECT_EQ(pieces, 2);
    }
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

// On a machine so busy that a second passes between two calls, the second call may tell.
TEST(Progress, IsToldOnceASecondAndNotBefore) {
    using Clock = std::chrono::steady_clock;
    constexpr std::chrono::seconds kSecond(1);
    std::vector<std::string> lines;
    Clock::time_point since = Clock::now();
    const OnProgress on_progress = told_each_second(
        "planning", "tiers", [&](std::string_view line) { lines.emplace_back(line); });
    on_progress(1, 8);
    EXPECT_TRUE(lines.empty() || Clock::now() - since >= kSecond);
    lines.clear();
    std::this_thread::sleep_for(std::chrono::milliseconds(1100));
    since = Clock::now();
    on_progress(3, 8);
    EXPECT_THAT(lines, testing::ElementsAre("planning: 3 of 8 tiers"));
    on_progress(4, 8);
    EXPECT_TRUE(lines.size() == 1 || Clock::now() - since >= kSecond);
    EXPECT_FALSE(told_each_second("planning", "tiers", {}));
}

}  // namespace
}  // namespace pshard
