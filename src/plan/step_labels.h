// What the steps of a schedule are, in words: for traces and drawings.
#pragma once

#include <string>
#include <vector>

#include "plan/schedule.h"

namespace pshard {

struct StepLabel {
    std::string name;  // "layer 3 (attn_norm-3 to ffn_out-3)"; empty for Waits
    Bytes bytes = 0;   // what a Load uploads; 0 where only the run knows: experts on demand, Stores

    bool operator==(const StepLabel&) const = default;
};

// The labels, by Schedule::steps. `cut` is that of `graph`, `schedule` that of `cut`.
std::vector<StepLabel> label_steps(const Inventory& inventory,
                                   const Graph& graph,
                                   const StageCut& cut,
                                   const Schedule& schedule);

}  // namespace pshard
