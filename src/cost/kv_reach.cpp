// How the cells of a KV cache are followed through a graph.
//
// In:   a graph that was captured at full context, and a depth.
// Out:  for each node, how many cells its tensor spans, and the share of them that is in use.
//
//     cache_k [d x heads, 4096]                              a state of 4096 cells
//        VIEW, PERMUTE   [d, 4096, heads]                    4096 cells
//        MUL_MAT with q  [4096, tokens, heads]               4096: they are rows of a factor
//        SOFT_MAX        [4096, tokens, heads]               4096: passed on
//        MUL_MAT with V  [d, tokens, heads]                  none: summed over
//
// The finder looks at the nodes once, in order. A view of a cache spans the cells of that cache.
// Any other node takes over the cells of the first source that spans some, if its own tensor has a
// dimension of that length. The results of attention, of writes into the cache and of reads of rows
// span no cells, since they are not as long as the cache.
//
// Traps: a unified cache has one stream for all sequences, other caches have a stream for each, and
// the cells in use are counted for one stream. llama.cpp computes with cells padded to 256. The
// padding costs memory traffic (`fraction`), but no flops, since the mask hides it (`visible`).
#include "cost/kv_reach.h"

#include <algorithm>

namespace pshard {

namespace {

constexpr std::int64_t kCellPadding = 256;  // llama_kv_cache::get_n_kv of llama.cpp v0.5.0

// The cells of a cache that one tensor spans. 0 cells: it spans none.
struct Reach {
    std::int64_t cells = 0;  // of one stream
    std::int64_t streams = 1;
};

// What llama.cpp's view of a cache spans: [d, heads, cells, streams], or [cells, heads, d, streams]
// if V is transposed.
Reach reach_of_view(const State& state, const Shape& view) {
    if (state.kind != StateKind::Kv || state.n_cells <= 0) return {};
    const std::int64_t n_state = elements(state.shape);
    if (n_state <= 0 || view[3] <= 0) return {};
    const std::int64_t rows = elements(view) * state.n_cells / n_state;
    return {rows / view[3], view[3]};
}

// Whether the result spans no cells, whatever the op reads: a sum over cells, or rows of a table.
bool ends_reach(const OpRule& rule) {
    return rule.family == OpFamily::Attention || rule.traffic == OpTraffic::RowsRead ||
           rule.traffic == OpTraffic::RowsWritten;
}

class ReachFinder {
public:
    ReachFinder(const Graph& graph, const Inventory& inventory)
        : graph_(graph), inventory_(inventory), reaches_(graph.nodes.size()) {}

    std::vector<Reach> find() {
        for (std::size_t i = 0; i < graph_.nodes.size(); i++) reaches_[i] = reach_of(i);
        return std::move(reaches_);
    }

private:
    Reach of_source(const Node& node, std::size_t i) const {
        if (i >= node.sources.size() || node.sources[i].kind != Ref::Kind::Node) return {};
        return reaches_[static_cast<std::size_t>(node.sources[i].index)];
    }

    Shape shape_of(const Node& node, std::size_t i) const {
        return tensor_of(node.sources[i], graph_, inventory_).shape;
    }

    // A product spans the cells if they are rows of a factor, but not if it sums over them.
    Reach of_matmul(const Node& node) const {
        const Reach left = of_source(node, 0);
        const Reach right = of_source(node, 1);
        if (left.cells > 0 && right.cells > 0) return {};  // V times attention weights
        const Reach reach = left.cells > 0 ? left : right;
        if (reach.cells == 0) return {};
        const bool summed = shape_of(node, left.cells > 0 ? 0 : 1)[0] == reach.cells;
        return !summed && has_extent(node.shape, reach.cells) ? reach : Reach{};
    }

    Reach of_first_source_that_reaches(const Node& node) const {
        for (std::size_t i = 0; i < node.sources.size(); i++) {
            const Reach reach = of_source(node, i);
            if (reach.cells > 0 && has_extent(node.shape, reach.cells)) return reach;
        }
        return {};
    }

    Reach reach_of(std::size_t index) const {
        const Node& node = graph_.nodes[index];
        if (node.sources.empty()) return {};
        const OpRule& rule = op_rule(node.op);
        if (ends_reach(rule)) return {};
        const Ref& first = node.sources[0];
        if (node.is_view && first.kind == Ref::Kind::State) {
            const State& state = inventory_.states[static_cast<std::size_t>(first.index)];
            const Reach reach = reach_of_view(state, node.shape);
            return has_extent(node.shape, reach.cells) ? reach : Reach{};
        }
        if (rule.family == OpFamily::MatMul) return of_matmul(node);
        return of_first_source_that_reaches(node);
    }

    const Graph& graph_;
    const Inventory& inventory_;
    std::vector<Reach> reaches_;
};

// The cells that a stream has in use after the batch.
std::int64_t cells_in_use(const Graph& graph, std::int64_t streams, std::uint32_t depth_tokens) {
    const auto per_stream = [&](std::int64_t n) { return (n + streams - 1) / streams; };
    const std::int64_t n_seqs = std::max<std::int64_t>(1, graph.n_seqs);
    return per_stream(n_seqs) * depth_tokens + per_stream(graph.n_tokens);
}

std::int64_t padded(std::int64_t cells) {
    return (cells + kCellPadding - 1) / kCellPadding * kCellPadding;
}

double share_of(std::int64_t used, std::int64_t cells) {
    return double(std::min(used, cells)) / double(cells);
}

}  // namespace

bool has_extent(const Shape& shape, std::int64_t cells) {
    return std::find(shape.begin(), shape.end(), cells) != shape.end();
}

KvReach kv_reach(const Graph& graph, const Inventory& inventory, std::uint32_t depth_tokens) {
    const std::vector<Reach> reaches = ReachFinder(graph, inventory).find();
    KvReach result{std::vector<std::int64_t>(reaches.size()),
                   std::vector<double>(reaches.size(), 1.0),
                   std::vector<double>(reaches.size(), 1.0)};
    for (std::size_t i = 0; i < reaches.size(); i++) {
        if (reaches[i].cells == 0) continue;
        const std::int64_t used = cells_in_use(graph, reaches[i].streams, depth_tokens);
        result.cells[i] = reaches[i].cells;
        result.fraction[i] = share_of(padded(used), reaches[i].cells);
        result.visible[i] = share_of(used, reaches[i].cells);
    }
    return result;
}

}  // namespace pshard
