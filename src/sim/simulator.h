// A clock walks a Schedule: it tells when each step begins and ends, and so how long a pass takes.
//
//   Upload    [Load 1]....[Load 2]....
//   Gpu       [C 0][wait ][C 1][ C 2 ]
//
// Lanes run side by side, each in its own order; a Wait holds its lane until the step that it names
// is done. A CPU stage and a copy over any link share the DRAM: while both run, each goes at its
// contended pace. So does a GPU stage under copies over its own link, which take some of the
// device's memory, and a copy beside it; copies both ways share a link, and links share nothing.
//
// The Load of a group that its kept slot still holds from an earlier pass takes no time.
//
// Passes follow each other as in decoding: the next pass may upload while this one computes. The
// time of a pass is that of the last of several, when the pipeline is in its rhythm.
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
