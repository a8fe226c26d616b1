// What is done, in which order, on which lane: one pass over the graph.
//
// The simulator walks a Schedule with a clock, the runtime walks it with ggml calls. Steps of one
// lane run in order; between lanes only a Wait orders anything.
//
//   Upload    [Load 0][Load 1]....[Load 2].........[Load 3]
//   Gpu       ........[C 0   ][C 1       ][C 2    ].......
//   Download  .................[Store 0]...
//   Cpu       ............................[C 3]...
#pragma once

#include <string_view>
#include <variant>
#include <vector>

#include "base/overloaded.h"
#include "base/result.h"
#include "plan/stages.h"

namespace pshard {

// Uploads a streamed group into its slot.
struct Load {
    int group = 0;
    bool operator==(const Load&) const = default;
};

// Brings over what the stage reads from other devices, then computes it.
struct Compute {
    int stage = 0;
    bool operator==(const Compute&) const = default;
};

// Writes the states of a streamed group back to host memory: only what the pass has written.
struct Store {
    int group = 0;
    bool operator==(const Store&) const = default;
};

// Holds the lane until the step is done; `of_last_pass`: the step of the pass before this one.
struct Wait {
    int step = 0;
    bool of_last_pass = false;
    bool operator==(const Wait&) const = default;
};

// What a step may be. A walker of schedules asks by std::visit, so that it does not compile until
// it knows every kind.
using StepKind = std::variant<Load, Compute, Store, Wait>;

struct Step {
    ScheduleLane lane = ScheduleLane::Gpu;
    StepKind what;
    bool operator==(const Step&) const = default;
};

// nullptr: the step moves or computes something, and so takes time.
inline const Wait* wait_of(const Step& step) {
    return std::visit(Overloaded{[](const Load&) -> const Wait* { return nullptr; },
                                 [](const Compute&) -> const Wait* { return nullptr; },
                                 [](const Store&) -> const Wait* { return nullptr; },
                                 [](const Wait& wait) { return &wait; }},
                      step.what);
}

// "load", "compute", "store", "wait"
std::string_view kind_name(const Step& step);

struct Schedule {
    std::vector<Step> steps;
    bool operator==(const Schedule&) const = default;
};

// How many GPUs the schedule uses: one more than the highest that its lanes name.
int count_gpus(const Schedule& schedule);

// The schedule of a cut graph: every upload starts as early as its slot is free, in this pass or
// while the pass before still computes.
// Fails if a group is needed again after its slot has passed on: such a graph cannot be streamed.
Result<Schedule> make_schedule(const StageCut& cut);

}  // namespace pshard
