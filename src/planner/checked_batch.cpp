// Makes the graph of the batch that checks drafts.
//
// In: the graphs that a device has seen, largest last. Out: one more, of `rows` tokens:
//
//   seen          1         512 with 4 rows of logits
//   made                4 = that of 1, each value four times as large
//
// The graph of a smaller batch has the same ops on fewer tokens. Which dimension of a value counts
// the tokens is not written anywhere: it is one of that size, else a multiple of it. Where several
// could be meant, the bytes are the same.
//
// Traps: a value that has no tokens at all, such as a recurrent state, is the same in the largest
// graph, and stays as it is; one that holds such a state besides its tokens grows too much. What
// lies in a cache or a weight never grows.
#include "planner/checked_batch.h"

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <tuple>
#include <utility>

namespace pshard {
namespace {

struct Growth {
    std::int64_t from = 1;  // tokens
    std::int64_t factor = 1;
};

// The dimension that counts the tokens; the contiguous one is asked last.
std::size_t token_dimension(const Shape& shape, std::int64_t n_tokens) {
    constexpr std::array<std::size_t, 4> kOrder = {1, 2, 3, 0};
    for (const std::size_t at : kOrder) {
        if (shape[at] == n_tokens) return at;
    }
    for (const std::size_t at : kOrder) {
        if (shape[at] % n_tokens == 0) return at;
    }
    return 1;
}

// Grows an input or the value of a node.
template <typename Value>
void grow(Value& value, const Growth& growth) {
    value.shape[token_dimension(value.shape, growth.from)] *= growth.factor;
    value.bytes *= static_cast<Bytes>(growth.factor);
    value.alloc_bytes *= static_cast<Bytes>(growth.factor);
}

bool lies_in_a_batch(const Node& node) {
    return !node.has_storage || node.storage.kind == Ref::Kind::Node ||
           node.storage.kind == Ref::Kind::Input;
}

using Face = std::tuple<std::string, std::string, Shape>;

Face face_of(const Node& node) { return {node.op, node.name, node.shape}; }

Graph grown(Graph graph, const Graph& largest, std::uint32_t n_tokens) {
    std::set<Face> constant;
    for (const Node& node : largest.nodes) constant.insert(face_of(node));
    const Growth growth{graph.n_tokens, n_tokens / graph.n_tokens};
    for (Input& input : graph.inputs) grow(input, growth);
    for (Node& node : graph.nodes) {
        if (lies_in_a_batch(node) && !constant.contains(face_of(node))) grow(node, growth);
    }
    graph.n_tokens = n_tokens;
    graph.n_outputs = n_tokens;
    return graph;
}

}  // namespace

std::uint32_t rows_of_logits(const Inventory& inventory, const Graph& graph) {
    for (const Node& node : graph.nodes) {
        for (const Ref& source : node.sources) {
            if (source.kind != Ref::Kind::Weight || node.op != "MUL_MAT") continue;
            const Weight& weight = inventory.weights[static_cast<std::size_t>(source.index)];
            if (weight.name == "output.weight") return static_cast<std::uint32_t>(node.shape[1]);
        }
    }
    return 0;
}

Inventory with_small_batch(Inventory inventory, std::uint32_t most) {
    std::vector<Graph>& graphs = inventory.graphs;
    if (graphs.size() < 2 || graphs.front().n_tokens == 0) return inventory;
    const std::uint32_t one_each = graphs.front().n_tokens;
    const std::uint32_t n_tokens = most / one_each * one_each;
    if (n_tokens <= one_each || graphs[1].n_tokens <= most) return inventory;
    graphs.insert(graphs.begin() + 1, grown(graphs.front(), graphs.back(), n_tokens));
    return inventory;
}

Inventory with_checked_batch(Inventory inventory) {
    std::vector<Graph>& graphs = inventory.graphs;
    if (graphs.empty()) return inventory;
    const std::uint32_t rows = rows_of_logits(inventory, graphs.back());
    if (rows >= graphs.back().n_tokens) return inventory;
    const auto next =
        std::ranges::find_if(graphs, [&](const Graph& graph) { return graph.n_tokens >= rows; });
    if (next->n_tokens == rows) return inventory;
    const auto smaller =
        std::find_if(std::make_reverse_iterator(next), graphs.rend(), [&](const Graph& graph) {
            return graph.n_tokens > 0 && rows % graph.n_tokens == 0;
        });
    if (smaller == graphs.rend()) return inventory;
    graphs.insert(next, grown(*smaller, graphs.back(), rows));
    return inventory;
}

}  // namespace pshard
