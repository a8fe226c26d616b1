#include "support/graph_maker.h"

#include "inventory/weight_class.h"
#include "support/toy_models.h"

namespace pshard {
namespace {

Bytes type_bytes(std::string_view type) {
    if (type == "f16") return 2;
    return type == "i64" ? 8 : 4;
}

Bytes tensor_bytes(std::string_view type, const Shape& shape) {
    return type_bytes(type) * static_cast<Bytes>(shape[0] * shape[1] * shape[2] * shape[3]);
}

// What all tensors have: name, type, shape and sizes.
template <typename Tensor>
Tensor make_tensor(std::string name, std::string type, const Shape& shape, Bytes alignment) {
    Tensor tensor;
    tensor.bytes = tensor_bytes(type, shape);
    tensor.alloc_bytes = align_up(tensor.bytes, alignment);
    tensor.name = std::move(name);
    tensor.type = std::move(type);
    tensor.shape = shape;
    return tensor;
}

Ref last_node(const Graph& graph) {
    return {Ref::Kind::Node, static_cast<int>(graph.nodes.size()) - 1};
}

}  // namespace

void add_weight(Inventory& inventory, const std::string& name, const char* type, Shape shape) {
    auto weight = make_tensor<Weight>(name, type, shape, inventory.device.alignment);
    const WeightClass where = classify_weight(name);
    weight.layer = where.layer;
    weight.side = where.side;
    weight.routed = where.routed;
    inventory.weights.push_back(weight);
}

void add_state(Inventory& inventory, const char* name, int layer, Shape shape, StateKind kind) {
    const bool kv = kind == StateKind::Kv;
    auto state = make_tensor<State>(
        name + std::to_string(layer), kv ? "f16" : "f32", shape, inventory.device.alignment);
    state.layer = layer;
    state.kind = kind;
    state.n_cells = kv ? shape[1] : 0;
    inventory.states.push_back(state);
}

std::string layer_name(std::string_view name, int layer) {
    return std::string(name) + "-" + std::to_string(layer);
}

Ref GraphMaker::input(const std::string& name, const char* type, Shape shape) {
    graph_.inputs.push_back(make_tensor<Input>(name, type, shape, inventory_.device.alignment));
    return {Ref::Kind::Input, static_cast<int>(graph_.inputs.size()) - 1};
}

Ref GraphMaker::node(
    const char* op, std::string name, int layer, Shape shape, std::vector<Ref> sources) {
    auto made = make_tensor<Node>(std::move(name), "f32", shape, inventory_.device.alignment);
    made.op = op;
    made.layer = layer;
    made.sources = std::move(sources);
    graph_.nodes.push_back(std::move(made));
    return last_node(graph_);
}

Ref GraphMaker::view(const char* op, std::string name, int layer, Shape shape, Ref of) {
    node(op, std::move(name), layer, shape, {of});
    graph_.nodes.back().is_view = true;
    store_in(of);
    return last_node(graph_);
}

Ref GraphMaker::write(
    const char* op, std::string name, int layer, std::vector<Ref> sources, Ref into) {
    const State& state = inventory_.states[static_cast<std::size_t>(into.index)];
    sources.push_back(into);
    node(op, std::move(name), layer, state.shape, std::move(sources));
    Node& made = graph_.nodes.back();
    made.type = state.type;
    made.bytes = state.bytes;
    made.alloc_bytes = state.alloc_bytes;
    store_in(into);
    return last_node(graph_);
}

Ref GraphMaker::weight(std::string_view name) const {
    return {Ref::Kind::Weight, weight_index(inventory_, name)};
}

Ref GraphMaker::layer_weight(int layer, std::string_view part) const {
    return weight("blk." + std::to_string(layer) + "." + std::string(part));
}

Ref GraphMaker::state(std::string_view name, int layer) const {
    return {Ref::Kind::State, state_index(inventory_, std::string(name) + std::to_string(layer))};
}

void GraphMaker::store_in(Ref of) {
    Node& made = graph_.nodes.back();
    made.has_storage = true;
    made.storage = of;
    if (of.kind != Ref::Kind::Node) return;
    const Node& target = graph_.nodes[static_cast<std::size_t>(of.index)];
    if (target.has_storage) made.storage = target.storage;
}

}  // namespace pshard
