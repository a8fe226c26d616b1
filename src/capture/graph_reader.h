// The one function from a ggml graph to the inventory's Graph.
//
// The planner's capture reads whole graphs with it, as llama_graph_reserve leaves them; the backend
// reads the split of a graph that the scheduler hands to a device.
//
// Scheduler copies. Where a tensor is read on another device than it lives on, ggml's scheduler
// makes a copy in a context of its own, named "DEVICE#NAME#0", and rewrites the reader's source to
// it. The copy has no link to its source, and names repeat, so in a whole graph it is led back by
// what the scheduler cannot hide:
//
//   1. A copy was never visited when the graph was built: it is not in cgraph's hash set.
//   2. Its source has lost readers: cgraph's use count of it, taken when the graph was built,
//      exceeds the readers that it has left. Nothing else in the graph has such a deficit.
//   3. The source has the copy's NAME (or the part of it that 63 characters hold), type, shape and
//      strides, and has lost as many readers as the copy has; more, if it was copied to several
//      devices.
//   4. Where that leaves several (the views of the experts' outputs have one name), copies and
//      sources pair in order: the scheduler makes copies in the order of their first readers.
//
// In a split, the source of a copy is on another device by construction and so outside the split:
// it becomes an Input named NAME.
//
// Layer of a node: the number that ends its name ("ffn_out-12"), else the layer of the first weight
// or state that it reads, else that of the next node that has one, else of the last before it.
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
