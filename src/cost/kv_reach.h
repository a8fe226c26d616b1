// Which tensors of a graph grow with the KV cache, and how much of each is in use at a depth.
//
// Graphs are captured at full context. A tensor that spans the cache is scaled to
//     n_kv(d) = min(cells in the graph's view, pad(tokens of the stream after the batch, 256))
// where each sequence has `depth_tokens` tokens before the batch.
//
// Source: llama_kv_cache::get_n_kv of llama.cpp v0.5.0.
// Doubt:  tensors are followed by their extents. A tensor may therefore be scaled by mistake if
//         another dimension of it happens to equal the cells (contexts of a few hundred tokens). A
//         view of a part of a row of the state is not followed, and counts in full.
#pragma once

#include <cstdint>
#include <vector>

#include "cost/op_work.h"
#include "inventory/inventory.h"

namespace pshard {

// Indexed as Graph::nodes.
struct KvReach {
    std::vector<std::int64_t> cells;  // of one stream, that the node's own tensor spans; 0: none
    std::vector<double> fraction;     // n_kv(depth) / cells, in (0, 1]; 1 if there are no cells
    std::vector<double> visible;      // the same without the padding, which the mask hides

    bool operator==(const KvReach&) const = default;
};

[[nodiscard]] KvReach kv_reach(const Graph& graph,
                               const Inventory& inventory,
                               std::uint32_t depth_tokens);

// Whether one of the dimensions has as many elements as there are `cells`.
[[nodiscard]] bool has_extent(const Shape& shape, std::int64_t cells);

}  // namespace pshard
