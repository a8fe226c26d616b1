// When the steps of a pass ran: what the host sees of marks, with a thread for each lane.
//
// ggml's events carry no time, so a thread waits for each mark of its lane in turn and looks at the
// clock. When a step began is not seen but follows: it was issued, what it waits for was done, and
// so was the step before it in its lane.
#pragma once

#include <array>
#include <functional>
#include <vector>

#include "plan/timeline.h"
#include "runtime/worker.h"

namespace pshard {

struct StepTime {
    Seconds issued = 0;
    Seconds ended = 0;  // 0: not seen
};

using StepTimes = std::vector<StepTime>;  // by Schedule::steps

struct MeasuredPass {
    Seconds begin = 0;  // of the timeline's zero: when the first step began
    Timeline timeline;
};

// `before`: of the pass before this one, if this one followed it; else empty.
MeasuredPass measured_pass(const Schedule& schedule,
                           const StepTimes& times,
                           const StepTimes& before);

class Stopwatch {
public:
    Stopwatch();

    [[nodiscard]] Seconds now() const;

    using Tickets = std::array<Worker::Ticket, kScheduleLanes>;

    // Calls `wait`, then notes the time in `ended`. In turn within a lane. Returns at once.
    void watch(ScheduleLane lane, std::function<void()> wait, Seconds& ended, Tickets& tickets);

    void wait_for(const Tickets& tickets);

private:
    Seconds zero_ = 0;
    std::array<Worker, kScheduleLanes> watchers_;
};

}  // namespace pshard
