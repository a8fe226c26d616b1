#include "base/worker.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <vector>

namespace pshard {
namespace {

TEST(Worker, DoesJobsInTheOrderInWhichTheyWerePosted) {
    std::vector<int> done;
    Worker worker;
    for (int i = 0; i < 100; ++i) worker.post([&done, i] { done.push_back(i); });
    worker.drain();
    ASSERT_EQ(done.size(), 100U);
    EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
}

TEST(Worker, WaitsForOneJobWithoutTheLaterOnes) {
    std::atomic<bool> first = false;
    std::atomic<bool> release = false;
    Worker worker;
    const Worker::Ticket ticket = worker.post([&] { first = true; });
    worker.post([&] { release.wait(false); });
    worker.wait_for(ticket);
    EXPECT_TRUE(first);
    release = true;
    release.notify_all();
    worker.drain();
}

TEST(Worker, FinishesItsJobsBeforeItEnds) {
    std::atomic<int> done = 0;
    {
        Worker worker;
        for (int i = 0; i < 10; ++i) worker.post([&] { ++done; });
    }
    EXPECT_EQ(done, 10);
}

}  // namespace
}  // namespace pshard
