// How the time of a step follows from what is seen of it.
#include "runtime/stopwatch.h"

#include <gmock/gmock.h>

namespace pshard {
namespace {

using testing::ElementsAre;

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
