// The one function from a ggml graph to the inventory's Graph.
//
// The planner's capture reads whole graphs with it, as llama_graph_reserve leaves them. The backend
// reads splits: the parts of a graph that the scheduler hands to a device.
//
// A node that reads a copy, which ggml's scheduler inserted, reads the copy's source in the result:
// the graph comes out as if it ran on one device. In a split, the source lies on another device and
// so outside the split; the copy becomes an Input with the name of its source.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "capture/device_policy.h"
#include "capture/tensor_index.h"
#include "inventory/inventory.h"

struct ggml_cgraph;

namespace pshard {

struct GraphSurroundings {
    const TensorIndex& tensors;  // weights and states, by pointer
    const Inventory& inventory;  // the weights and states that those Refs point to
    const DevicePolicy& device;
};

// Reads the inputs, nodes and Refs of a whole graph; the caller sets n_tokens, n_seqs and
// n_outputs. Never fails: a tensor that is not known by pointer and is no node of the graph becomes
// an Input.
Graph read_graph(const ggml_cgraph& graph, const GraphSurroundings& around);

struct ReadGraph {
    Graph graph;
    std::vector<const ggml_tensor*> inputs;  // the tensor of each of Graph::inputs
};

// Reads a split. Its nodes stand where they stand in `graph`. Nodes that later splits read are
// outputs, and so are nodes that nobody in the graph reads.
ReadGraph read_split(const ggml_cgraph& graph, const GraphSurroundings& around);

// How many nodes read a tensor in the graph that llama.cpp built, of which `graph` may be a split;
// nullopt: that graph did not have it.
std::optional<int> reads_at_build(const ggml_cgraph& graph, const ggml_tensor* tensor);

// The number behind the last '-' of a name that llama.cpp gave ("Qcur-3 (reshaped)": 3); -1 if
// there is none.
int layer_of_node_name(std::string_view name);

}  // namespace pshard
