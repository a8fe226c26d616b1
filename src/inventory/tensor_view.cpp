#include "inventory/tensor_view.h"

namespace pshard {

TensorView tensor_of(const Ref& ref, const Graph& graph, const Inventory& inventory) {
    const auto index = static_cast<std::size_t>(ref.index);
    const auto view = [](const auto& tensor) {
        return TensorView{tensor.name, tensor.type, tensor.shape, tensor.bytes};
    };
    switch (ref.kind) {
        case Ref::Kind::Weight:
            return view(inventory.weights.at(index));
        case Ref::Kind::State:
            return view(inventory.states.at(index));
        case Ref::Kind::Input:
            return view(graph.inputs.at(index));
        case Ref::Kind::Node:
            break;
    }
    return view(graph.nodes.at(index));
}

Ref root_of(const Ref& ref, const Graph& graph) {
    if (ref.kind != Ref::Kind::Node) return ref;
    const Node& made = graph.nodes[static_cast<std::size_t>(ref.index)];
    return made.has_storage ? made.storage : ref;
}

}  // namespace pshard
