// Builds small graphs for the tests of cost/: nodes, weights and caches as the capture makes them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cost/kv_reach.h"
#include "inventory/inventory.h"
#include "machine/quant.h"

namespace pshard::test {

inline Bytes bytes_of(const std::string& type, const Shape& shape) {
    double n = 1;
    for (const std::int64_t extent : shape) n *= double(extent);
    return static_cast<Bytes>(n * bits_per_weight(type).value_or(8) / 8);
}

// A shape by as many extents as it has; the others are 1.
struct Extents {
    Extents(std::int64_t a, std::int64_t b = 1, std::int64_t c = 1, std::int64_t d = 1)
        : shape{a, b, c, d} {}

    Shape shape;
};

// Values are f32 where no type is named.
class GraphBuilder {
public:
    Inventory inventory;
    Graph graph;

    explicit GraphBuilder(std::uint32_t n_tokens, std::uint32_t n_seqs = 1) {
        graph.n_tokens = n_tokens;
        graph.n_seqs = n_seqs;
    }

    Ref input(const Extents& extents) { return input("f32", extents); }

    Ref input(const std::string& type, const Extents& extents) {
        const Shape& shape = extents.shape;
        graph.inputs.push_back({"input", type, shape, bytes_of(type, shape), 0});
        return {Ref::Kind::Input, int(graph.inputs.size()) - 1};
    }

    Ref weight(const std::string& name, const std::string& type, const Extents& extents) {
        const Shape& shape = extents.shape;
        Weight weight{.name = name, .type = type, .shape = shape, .bytes = bytes_of(type, shape)};
        weight.routed = name.find("_exps") != std::string::npos;
        inventory.weights.push_back(weight);
        return {Ref::Kind::Weight, int(inventory.weights.size()) - 1};
    }

    // A cache of `cells` per stream: [width, cells, streams].
    Ref cache(const std::string& name,
              std::int64_t width,
              std::int64_t cells,
              std::int64_t streams = 1) {
        State state{.name = name, .type = "f16", .shape = {width, cells, streams, 1}};
        state.bytes = bytes_of("f16", state.shape);
        state.n_cells = cells * streams;
        inventory.states.push_back(state);
        return {Ref::Kind::State, int(inventory.states.size()) - 1};
    }

    Ref node(const std::string& op,
             const Extents& extents,
             std::vector<Ref> sources,
             int layer = -1) {
        return node(op, "f32", extents, std::move(sources), layer);
    }

    Ref node(const std::string& op,
             const std::string& type,
             const Extents& extents,
             std::vector<Ref> sources,
             int layer = -1) {
        const Shape& shape = extents.shape;
        Node node;
        node.op = op;
        node.name = op;
        node.type = type;
        node.shape = shape;
        node.bytes = bytes_of(type, shape);
        node.layer = layer;
        node.is_view = op == "VIEW" || op == "PERMUTE" || op == "RESHAPE" || op == "TRANSPOSE";
        node.sources = std::move(sources);
        graph.nodes.push_back(node);
        return {Ref::Kind::Node, int(graph.nodes.size()) - 1};
    }

    // [d, heads, cells, streams] of a cache, permuted to [d, cells, heads, streams].
    Ref cache_view(const Ref& cache,
                   std::int64_t d,
                   std::int64_t heads,
                   std::int64_t cells,
                   std::int64_t streams = 1) {
        const Ref view = node("VIEW", "f16", {d, heads, cells, streams}, {cache});
        return node("PERMUTE", "f16", {d, cells, heads, streams}, {view});
    }

    Node& last() { return graph.nodes.back(); }

    [[nodiscard]] OpWork work_of(std::size_t index, std::uint32_t depth = 0) const {
        return op_work(graph, index, inventory, kv_reach(graph, inventory, depth));
    }
};

}  // namespace pshard::test
