// Tells which device computes each node of a graph, by where weights and states lie.
//
// The rule is that of ggml's scheduler (ggml_backend_sched_split_graph, v0.5.0), so that a static
// plan runs in stock llama.cpp exactly where it was priced, and the runtime follows the same rule:
//
//   1. a node that writes into a state, or views one, runs where the state is;
//   2. else a node runs where the first weight that it reads is (a rope factor or an attention
//      sink is too small to decide); with op-offload, big batches over a CPU weight run on the GPU;
//   3. what is left follows its neighbours: first the GPU spreads over undecided nodes, down and
//      then up the graph, stopped by CPU nodes; then the CPU takes the rest;
//   4. views are where their storage is.
#pragma once

#include <cstddef>
#include <vector>

#include "plan/placement.h"

namespace pshard {

// What happens to a big batch over a weight in host memory.
enum class OpOffload {
    Never,  // the CPU computes it: our runtime
    Stock,  // from 32 rows on it is uploaded, and the GPU computes it: llama.cpp's default
};

// The device of each node, by Graph::nodes.
std::vector<Device> assign_nodes(const Inventory& inventory,
                                 const Graph& graph,
                                 const Placement& placement,
                                 OpOffload offload);

// True if the node reads a CPU weight that stock llama.cpp would upload for this batch.
bool is_offloaded(const Inventory& inventory, const Node& node, const Placement& placement);

// True if stock's scheduler copies that weight of the node back to the CPU in every pass: it lies
// on the device, and the device does not support the node. (PSHARD0 reads the host's master.)
bool is_copied_back(const Node& node, std::size_t weight, const Placement& placement);

}  // namespace pshard
