// Tells which weights and states are of no use on the device, because it cannot compute what reads
// them: an op that it lacks, or attention over a type of cache that it has no kernel for.
//
//   node      MUL_MAT   MUL_MAT_ID, which the device lacks   ADD_ID
//   reads     w0        w1                     w0            w2        -> w1 is idle
//
// PSHARD0 and the flags of --emit-args leave an idle weight to the CPU. Stock llama.cpp asks the
// device with an op of its own making when it loads the weight (llama-model-loader.cpp, v0.5.0,
// weight_buft_supported), so it may still put the weight into VRAM; its scheduler then copies the
// weight back in every pass.
#pragma once

#include <vector>

#include "inventory/inventory.h"

namespace pshard {

// True: the tensor stays with the CPU. Either may be empty: then none does.
struct Idle {
    std::vector<bool> weights{};  // by Inventory::weights
    std::vector<bool> states{};   // by Inventory::states
};

Idle idle_tensors(const Inventory& inventory, const Graph& graph);

// By Inventory::states. True: the graph writes into the state, and no graph of the inventory reads
// it: llama.cpp does, between the pieces of a graph that it has cut to attend itself.
std::vector<bool> states_read_elsewhere(const Inventory& inventory, const Graph& graph);

// By Inventory::states. True: nodes of the graph read the state, itself or a view of it, and the
// device supports none of them; or it is read elsewhere. Who writes into it does not count.
std::vector<bool> idle_states(const Inventory& inventory, const Graph& graph);

// By Inventory::weights. True: nodes of the graph read the weight, itself or a view of it, and the
// device supports none of them. A weight that no node reads is not idle: another context may read
// it.
std::vector<bool> idle_weights(const Inventory& inventory, const Graph& graph);

// Weights that are idle in every graph of the inventory: stock has one placement for all.
std::vector<bool> idle_weights(const Inventory& inventory);

// The weights of layers and of the head that are idle in the graph. If there are any, the device
// cannot compute the whole model, whatever its size.
std::vector<int> idle_layer_weights(const Inventory& inventory, const Graph& graph);

}  // namespace pshard
