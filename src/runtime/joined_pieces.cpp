#include "runtime/joined_pieces.h"

#include <ggml-impl.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <set>
#include <utility>

namespace pshard {
namespace {

bool write_into_one_state(const Graph& a, const Graph& b) {
    const std::vector<int> written = written_states(a);
    return std::ranges::any_of(written_states(b),
                               [&](int state) { return std::ranges::count(written, state) > 0; });
}

// Appends the piece; its Refs go on meaning its own nodes and inputs.
void append(Graph& graph, Graph piece) {
    const auto n_nodes = static_cast<int>(graph.nodes.size());
    const auto n_inputs = static_cast<int>(graph.inputs.size());
    const auto move = [&](Ref& ref) {
        if (ref.kind == Ref::Kind::Node) ref.index += n_nodes;
        if (ref.kind == Ref::Kind::Input) ref.index += n_inputs;
    };
    for (Node& node : piece.nodes) {
        std::ranges::for_each(node.sources, move);
        if (node.has_storage) move(node.storage);
    }
    std::ranges::move(piece.nodes, std::back_inserter(graph.nodes));
    std::ranges::move(piece.inputs, std::back_inserter(graph.inputs));
}

}  // namespace

std::vector<int> written_states(const Graph& graph) {
    std::set<int> written;
    for (const Node& node : graph.nodes) {
        const bool writes =
            !node.is_view && node.has_storage && node.storage.kind == Ref::Kind::State;
        if (writes) written.insert(node.storage.index);
    }
    return {written.begin(), written.end()};
}

PiecePlace place_of(const ggml_cgraph& piece) {
    return {piece.visited_hash_set.keys, piece.nodes, piece.nodes + piece.n_nodes};
}

bool is_behind(const PiecePlace& piece, const PiecePlace& before) {
    return before.whole != nullptr && piece.whole == before.whole &&
           std::greater_equal<>{}(piece.nodes, before.nodes_end);
}

const Graph& JoinedPieces::add(const PiecePlace& place, Graph piece) {
    const bool continues = is_behind(place, last_) && !write_into_one_state(graph_, piece);
    last_ = place;
    if (continues) {
        append(graph_, std::move(piece));
    } else {
        graph_ = std::move(piece);
    }
    return graph_;
}

}  // namespace pshard
