// What the steps of a schedule are called, and how many bytes they move: for traces and pictures.
#pragma once

#include <string>
#include <vector>

#include "plan/schedule.h"

namespace pshard {

// By Schedule::steps: "layer 3 FFN" for a streamed side, "layers 0-11" for a stage of several,
// "head" for what belongs to no layer; empty for Waits.
std::vector<std::string> step_names(const Inventory& inventory,
                                    const Graph& graph,
                                    const StageCut& cut,
                                    const Schedule& schedule);

// By Schedule::steps: of a Load the bytes of its group, all experts included; else 0.
std::vector<Bytes> step_bytes(const Inventory& inventory,
                              const StageCut& cut,
                              const Schedule& schedule);

}  // namespace pshard
