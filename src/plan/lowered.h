// All that follows from a placement of a graph: what the simulator walks, the arena holds, the
// verifier checks and the runtime does.
//
//   placement -> cut_stages -> slot_sizes -> make_schedule -> layout_scratch
//
// This is the one place where the chain is spelled out. Search, reports, the plugin, the runtime
// and the registry's hashes call lower(), so that what was priced is what is run. A pure function:
// the same values give the same Lowered.
#pragma once

#include "plan/schedule.h"
#include "plan/scratch.h"

namespace pshard {

// A graph, and the model whose tensors it reads.
struct GraphView {
    const Inventory& inventory;
    const Graph& graph;
};

struct Lowered {
    Placement placement;
    StageCut cut;
    std::vector<SlotSizes> slots;  // by GPU
    Schedule schedule;             // no steps where it cannot be streamed
    Status streamable = Done{};    // an Error tells why there is no schedule
    ScratchLayout scratch;
};

// How far to go: sizes need no schedule, and most of the time goes into the scratch.
enum class LowerUntil { Slots, Schedule, Scratch };

Lowered lower(const GraphView& view,
              Placement placement,
              const StageOptions& options,
              LowerUntil until = LowerUntil::Scratch);

// Goes on from what lower() gave until Slots, with the same options.
Lowered lower_on(const GraphView& view,
                 Lowered lowered,
                 const StageOptions& options,
                 LowerUntil until);

}  // namespace pshard
