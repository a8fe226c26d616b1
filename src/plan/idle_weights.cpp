#include "plan/idle_weights.h"

#include "inventory/tensor_view.h"

namespace pshard {

std::vector<bool> idle_weights(const Inventory& inventory, const Graph& graph) {
    std::vector<bool> read(inventory.weights.size());
    std::vector<bool> idle(inventory.weights.size());
    for (const Node& node : graph.nodes) {
        if (node.is_view) continue;
        for (const Ref& source : node.sources) {
            const Ref root = root_of(source, graph);
            if (root.kind != Ref::Kind::Weight) continue;
            const auto index = static_cast<std::size_t>(root.index);
            idle[index] = !node.device_supports && (idle[index] || !read[index]);
            read[index] = true;
        }
    }
    return idle;
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
