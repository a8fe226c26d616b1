// When the steps of a pass ran, as far as the host sees it: a thread for each lane watches marks.
//
// ggml's events carry no time, so a thread waits for each mark of its lane in turn and looks at the
// clock. Nobody sees a step begin. It begins once it was issued, what it waits for is done, and
// the step before it in its lane is done.
#pragma once

#include <array>
#include <functional>
#include <vector>

#include "base/worker.h"
#include "plan/timeline.h"

namespace pshard {

struct StepTime {
    Seconds issued = 0;
    Seconds ended = 0;  // 0: not seen
};

using StepTimes = std::vector<StepTime>;  // by Schedule::steps

struct MeasuredPass {
    Seconds begin = 0;  // when the first step began: the timeline's zero
    Timeline timeline;
};

// `before`: the times of the pass before, if this one followed it; else empty.
MeasuredPass measured_pass(const Schedule& schedule,
                           const StepTimes& times,
                           const StepTimes& before);

class Stopwatch {
public:
    Stopwatch();

    [[nodiscard]] Seconds now() const;

    using Tickets = std::array<Worker::Ticket, kScheduleLanes>;

    // Lets the lane's thread call `wait`, then note the time in `ended`; one after the other within
    // a lane. Returns at once.
    void watch(ScheduleLane lane, std::function<void()> wait, Seconds& ended, Tickets& tickets);

    void wait_for(const Tickets& tickets);

    // Waits for all that is watched, and throws nothing: nobody asks for these times.
    void settle() noexcept;

    // As Worker::stop_for_good(), of each lane's thread.
    void stop_for_good(std::chrono::milliseconds longest);

private:
    Seconds zero_ = 0;
    std::array<Worker, kScheduleLanes> watchers_;
};

}  // namespace pshard
