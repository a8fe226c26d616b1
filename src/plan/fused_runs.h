// Runs of nodes that ggml's GPU backends may compute by one kernel, so that inputs of the run's
// first node are read while its last node's result is written.
//
// Most fused runs need no care. Where each node's result takes over the memory of the one before
// it, the result of the last lies where the first node's lay, or its operand: clear of all other
// inputs, as those lived at the first node. Only where a later node's result has memory of its own
// may that be memory of an input that died on the way. Those runs are listed here, after CUDA and
// Vulkan of llama.cpp v0.5.0 (docs/fusion.md has all of them): both look at addresses before they
// fuse such a run, but not at inputs that were copied from elsewhere, and fuse nothing where
// addresses overlap.
#pragma once

#include <vector>

#include "plan/stages.h"

namespace pshard {

struct FusedRun {
    const char* pattern = "";  // how messages call it
    std::vector<int> nodes;    // in Graph::nodes, ascending; views left out

    int last() const { return nodes.back(); }

    bool operator==(const FusedRun&) const = default;
};

// The runs of a stage. Only ops and who reads whom decide, so that a listed run may be one that no
// backend fuses.
std::vector<FusedRun> fused_runs(const Graph& graph, const Stage& stage);

// The same for who cuts one graph many times: runs are looked for once, in the whole graph. A run
// is found from its first node on, so that a stage has those that begin and end in it; one that the
// stage's end cuts is looked for again. `graph` must outlive this.
class FusedRuns {
public:
    explicit FusedRuns(const Graph& graph);

    [[nodiscard]] std::vector<FusedRun> of(const Stage& stage) const;

private:
    const Graph& graph_;
    std::vector<FusedRun> runs_;  // by their first nodes
};

}  // namespace pshard
