#include "plan/idle_weights.h"

#include <algorithm>

#include "inventory/tensor_view.h"

namespace pshard {

namespace {

bool writes_state(const Node& node) {
    return !node.is_view && node.has_storage && node.storage.kind == Ref::Kind::State;
}

// Tensors of one kind of which nodes that the device lacks are the only readers.
std::vector<bool> idle_of(Ref::Kind kind, std::size_t n_tensors, const Graph& graph) {
    std::vector<bool> read(n_tensors);
    std::vector<bool> idle(n_tensors);
    for (const Node& node : graph.nodes) {
        if (node.is_view || (writes_state(node) && kind == Ref::Kind::State)) continue;
        for (const Ref& source : node.sources) {
            const Ref root = root_of(source, graph);
            if (root.kind != kind) continue;
            const auto index = static_cast<std::size_t>(root.index);
            idle[index] = !node.device_supports && (idle[index] || !read[index]);
            read[index] = true;
        }
    }
    return idle;
}

void drop_what_reads(const Graph& graph, std::vector<bool>& states) {
    for (const Node& node : graph.nodes) {
        if (node.is_view || writes_state(node)) continue;
        for (const Ref& source : node.sources) {
            const Ref root = root_of(source, graph);
            if (root.kind == Ref::Kind::State) states[static_cast<std::size_t>(root.index)] = false;
        }
    }
}

}  // namespace

std::vector<bool> idle_weights(const Inventory& inventory, const Graph& graph) {
    return idle_of(Ref::Kind::Weight, inventory.weights.size(), graph);
}

std::vector<bool> states_read_elsewhere(const Inventory& inventory, const Graph& graph) {
    std::vector<bool> found(inventory.states.size());
    for (const Node& node : graph.nodes) {
        if (writes_state(node)) found[static_cast<std::size_t>(node.storage.index)] = true;
    }
    drop_what_reads(graph, found);
    if (std::ranges::count(found, true) == 0) return found;
    for (const Graph& each : inventory.graphs) drop_what_reads(each, found);
    return found;
}

std::vector<bool> idle_states(const Inventory& inventory, const Graph& graph) {
    std::vector<bool> idle = idle_of(Ref::Kind::State, inventory.states.size(), graph);
    const std::vector<bool> elsewhere = states_read_elsewhere(inventory, graph);
    for (std::size_t i = 0; i < idle.size(); ++i) idle[i] = idle[i] || elsewhere[i];
    return idle;
}

Idle idle_tensors(const Inventory& inventory, const Graph& graph) {
    return {idle_weights(inventory, graph), idle_states(inventory, graph)};
}

std::vector<bool> idle_weights(const Inventory& inventory) {
    std::vector<bool> all(inventory.weights.size(), !inventory.graphs.empty());
    for (const Graph& graph : inventory.graphs) {
        const std::vector<bool> idle = idle_weights(inventory, graph);
        for (std::size_t i = 0; i < all.size(); ++i) all[i] = all[i] && idle[i];
    }
    return all;
}

std::vector<int> idle_layer_weights(const Inventory& inventory, const Graph& graph) {
    const std::vector<bool> idle = idle_weights(inventory, graph);
    std::vector<int> found;
    for (std::size_t i = 0; i < idle.size(); ++i) {
        const Weight& weight = inventory.weights[i];
        const bool of_layer = weight.layer >= 0 || weight.name.starts_with("output");
        if (idle[i] && of_layer) found.push_back(static_cast<int>(i));
    }
    return found;
}

}  // namespace pshard
