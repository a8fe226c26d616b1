#include "runtime/stopwatch.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace pshard {
namespace {

std::size_t at(int index) { return static_cast<std::size_t>(index); }

Seconds clock_seconds() {
    const auto since = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration<double>(since).count();
}

// When the step that a Wait names was done; 0: before anything that is timed here.
Seconds end_of(const Wait& wait, const StepTimes& times, const StepTimes& before) {
    const StepTimes& pass = wait.of_last_pass ? before : times;
    return at(wait.step) < pass.size() ? pass[at(wait.step)].ended : 0;
}

using LaneTimes = std::array<Seconds, kScheduleLanes>;

// When each lane ended the pass.
LaneTimes ends_of(const Schedule& schedule, const StepTimes& times) {
    LaneTimes ends{};
    for (std::size_t i = 0; i < times.size() && i < schedule.steps.size(); ++i) {
        Seconds& end = ends.at(schedule.steps[i].lane.index());
        end = std::max(end, times[i].ended);
    }
    return ends;
}

}  // namespace

MeasuredPass measured_pass(const Schedule& schedule,
                           const StepTimes& times,
                           const StepTimes& before) {
    MeasuredPass measured;
    LaneTimes lane_free = ends_of(schedule, before);
    for (std::size_t i = 0; i < schedule.steps.size(); ++i) {
        const Step& step = schedule.steps[i];
        Seconds& free = lane_free.at(step.lane.index());
        if (const Wait* wait = wait_of(step)) {
            free = std::max(free, end_of(*wait, times, before));
            continue;
        }
        const Seconds begin = std::max(free, times[i].issued);
        free = std::max(begin, times[i].ended);
        measured.timeline.intervals.push_back({static_cast<int>(i), begin, free});
    }
    std::vector<Interval>& intervals = measured.timeline.intervals;
    if (intervals.empty()) return measured;
    std::stable_sort(intervals.begin(), intervals.end(), [](const auto& a, const auto& b) {
        return a.end < b.end;
    });
    const auto first =
        std::min_element(intervals.begin(), intervals.end(), [](const auto& a, const auto& b) {
            return a.begin < b.begin;
        });
    measured.begin = first->begin;
    for (Interval& interval : intervals) {
        interval.begin -= measured.begin;
        interval.end -= measured.begin;
    }
    measured.timeline.end = intervals.back().end;
    return measured;
}

Stopwatch::Stopwatch() : zero_(clock_seconds()) {}

Seconds Stopwatch::now() const { return clock_seconds() - zero_; }

void Stopwatch::watch(ScheduleLane lane,
                      std::function<void()> wait,
                      Seconds& ended,
                      Tickets& tickets) {
    const std::size_t index = lane.index();
    tickets.at(index) = watchers_.at(index).post([this, wait = std::move(wait), &ended] {
        wait();
        ended = now();
    });
}

void Stopwatch::wait_for(const Tickets& tickets) {
    for (std::size_t i = 0; i < watchers_.size(); ++i) watchers_.at(i).wait_for(tickets.at(i));
}

void Stopwatch::stop_for_good(std::chrono::milliseconds longest) {
    for (Worker& watcher : watchers_) watcher.stop_for_good(longest);
}

void Stopwatch::settle() noexcept {
    for (Worker& watcher : watchers_) {
        try {
            watcher.drain();
        } catch (...) {  // of a queue or a worker, which tells it to whoever waits for that
            watcher.forget_thrown();
        }
    }
}

}  // namespace pshard
