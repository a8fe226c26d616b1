// Tells where the values between the ops of a graph lie on each device, by how long they live.
//
// A value is allocated when its node is computed, and freed after the last node that reads it or a
// view of it. A value that a stage of the other device reads has a copy there from that stage on.
// An element-wise op takes over the memory of an operand that dies with it. What the GPU may read
// in a fused run (plan/fused_runs.h) lasts to the end of that run. Blocks are packed by
// plan/interval_packing.h; addresses are offsets into the scratch region. The runtime takes its
// addresses from here: llama.cpp's own are names only.
#pragma once

#include <vector>

#include "plan/interval_packing.h"
#include "plan/stages.h"

namespace pshard {

class FusedRuns;

inline constexpr Bytes kNoOffset = ~Bytes{0};

struct DeviceScratch {
    std::vector<Bytes> nodes;    // offset of the node's value (or of its copy here), or kNoOffset
    std::vector<Bytes> inputs;   // offset of the input's copy
    std::vector<Bytes> weights;  // offset of the copy that stock makes of a weight for one op
    Bytes peak = 0;              // bytes of the region

    bool operator==(const DeviceScratch&) const = default;
};

struct ScratchLayout {
    std::vector<DeviceScratch> gpus = std::vector<DeviceScratch>(1);
    DeviceScratch cpu;

    const DeviceScratch& of(Device device) const {
        return device.is_gpu() ? gpus[device.number] : cpu;
    }

    bool operator==(const ScratchLayout&) const = default;
};

// What scratch is laid out for: a graph, placed and cut.
struct CutGraph {
    const Inventory& inventory;
    const Graph& graph;
    const Placement& placement;
    const StageCut& cut;
    OpOffload offload;
    const FusedRuns* fused = nullptr;  // of the graph; nullptr: they are looked for here
};

ScratchLayout layout_scratch(const CutGraph& placed);

// The same without addresses: only the peaks, for those who size many placements.
ScratchLayout scratch_peaks(const CutGraph& placed, PackingMemo& memo);

}  // namespace pshard
