// Which tensors of a graph grow with the cache, and how much of each is in use at a depth.
//
// Graphs are captured at full context. What spans the KV cache is scaled to
//     n_kv(d) = min(cells in the graph's view, pad(tokens of the stream after the batch, 256))
// where `depth_tokens` is the length of each sequence before the batch.
//
// Source: llama_kv_cache::get_n_kv of llama.cpp v0.5.0.
// Doubt:  tensors are followed by their extents, so that one whose other dimension happens to equal
//         the cells may scale too (contexts of a few hundred tokens). A view of part of a row,
//         straight from the state, is not followed: it counts in full.
#pragma once

#include <cstdint>
#include <vector>

#include "cost/op_work.h"
#include "inventory/inventory.h"

namespace pshard {

// Indexed as Graph::nodes.
struct KvReach {
    std::vector<std::int64_t> cells;  // of one stream that the node's own tensor spans; 0: none
    std::vector<double> fraction;     // n_kv(depth) / cells, in (0, 1]; 1 where there are no cells
    std::vector<double> visible;      // the same without the padding: the mask hides that

    bool operator==(const KvReach&) const = default;
};

[[nodiscard]] KvReach kv_reach(const Graph& graph,
                               const Inventory& inventory,
                               std::uint32_t depth_tokens);

// Whether one of the dimensions is that long.
[[nodiscard]] bool has_extent(const Shape& shape, std::int64_t cells);

}  // namespace pshard
