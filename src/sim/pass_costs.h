// Seconds of each step of one pass: what the simulator's clock is driven by.
#pragma once

#include <vector>

#include "base/units.h"
#include "cost/graph_cost.h"
#include "cost/transfer.h"
#include "plan/stages.h"

namespace pshard {

// Seconds of a step alone, and beside what slows it down. A step beside several of them goes at the
// slowest pace. No pace is faster than `alone`. The simulator asks a stage for the first two only.
struct Duration {
    Seconds alone = 0;
    Seconds contended = 0;    // a stage under copies; a copy under a stage of the CPU
    Seconds beside_gpu = 0;   // a copy under a stage of the GPU
    Seconds beside_copy = 0;  // a copy under one the other way

    bool operator==(const Duration&) const = default;
};

// What most of a lane's time goes to.
struct LaneBound {
    Seconds compute = 0;
    Seconds memory = 0;
    Seconds launch = 0;  // launches, and hand-overs between the devices
    bool extrapolated = false;

    bool operator==(const LaneBound&) const = default;
};

struct PassCosts {
    std::vector<Duration> stages;  // by StageCut::stages
    std::vector<Duration> loads;   // by StageCut::groups
    std::vector<Duration> stores;  // by StageCut::groups
    std::vector<Slot> slots{};     // by StageCut::groups; empty: no slot keeps
    LaneBound gpu;                 // of all GPUs
    LaneBound cpu;

    bool operator==(const PassCosts&) const = default;
};

// The rates at which a GPU computes and its link moves bytes.
struct GpuRates {
    const GraphCost& graph_cost;  // at the depth
    const LinkRates& link;
};

// What the costs of a pass depend on besides the cut graph.
struct PassContext {
    std::vector<GpuRates> gpus;    // by GPU; the first has the CPU's rates too
    double page_locked_share = 1;  // the share of what is streamed, 0 to 1
    OpOffload offload = OpOffload::Never;
};

PassCosts price_pass(const Inventory& inventory,
                     const Graph& graph,
                     const Placement& placement,
                     const StageCut& cut,
                     const PassContext& context);

}  // namespace pshard
