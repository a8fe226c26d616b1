// A clock walks a Schedule: it tells when each step begins and ends, and so how long a pass takes.
// Lanes run side by side, each in its own order; a Wait holds its lane until the step that it names
// is done. What slows what, and the rhythm of passes that follow each other: simulator.cpp.
#pragma once

#include "base/result.h"
#include "plan/timeline.h"
#include "sim/pass_costs.h"

namespace pshard {

struct Simulation {
    Seconds pass_seconds = 0;  // of the last pass, after the end of the one before
    Timeline timeline;         // of the first pass, from a cold start

    bool operator==(const Simulation&) const = default;
};

// Fails if the schedule can never end: a Wait for a step that waits for it.
Result<Simulation> simulate(const Schedule& schedule, const PassCosts& costs);

}  // namespace pshard
