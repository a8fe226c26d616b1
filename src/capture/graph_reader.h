// The one function from a ggml graph to the inventory's Graph.
//
// The planner's capture reads whole graphs with it, as llama_graph_reserve leaves them; the backend
// reads the split of a graph that the scheduler hands to a device.
//
// Copies that ggml's scheduler inserted are led back to what they are copies of: the graph comes
// out as if it ran on one device. In a split the source is on another device by construction, and
// so outside the split: the copy becomes an Input under the source's name.
#pragma once

#include <vector>

#include "capture/device_policy.h"
#include "capture/tensor_index.h"
#include "inventory/inventory.h"

struct ggml_cgraph;

namespace pshard {

enum class GraphScope { Whole, Split };

struct GraphSurroundings {
    const TensorIndex& tensors;  // weights and states, by pointer
    const Inventory& inventory;  // what those Refs mean: the layers of weights and states
    const DevicePolicy& device;
};

// Inputs, nodes and their Refs; n_tokens, n_seqs and n_outputs are the caller's to know.
// Never fails: what is not known by pointer and is no node of the graph is an Input.
Graph read_graph(const ggml_cgraph& graph, GraphScope scope, const GraphSurroundings& around);

struct ReadGraph {
    Graph graph;
    std::vector<const ggml_tensor*> inputs;  // by Graph::inputs
};

// A split, with what its nodes and inputs are: nodes stand where they stand in `graph`. Nodes that
// later splits read are outputs, and so are those that nobody in the graph reads.
ReadGraph read_split(const ggml_cgraph& graph, const GraphSurroundings& around);

// The number after the last '-' of a name that llama.cpp gave ("Qcur-3 (reshaped)": 3); -1 if none.
int layer_of_node_name(std::string_view name);

}  // namespace pshard
