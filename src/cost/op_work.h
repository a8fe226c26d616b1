// What one node of a graph does: flops and bytes, from its own shapes. No machine, no time.
//
// Source: facts 2.2, corrected where 2.5 found it wrong; every formula is in docs/models/cost.md.
// Depth:  graphs are captured at full context. What reads the KV cache is scaled to
//             n_kv(d) = min(cells in the graph's view, pad(tokens in the cache after the batch, 256))
//         where `depth_tokens` is the length of each sequence before the batch.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "inventory/inventory.h"

namespace pshard {

enum class OpFamily : std::uint8_t {
    View,       // computes nothing
    MatMul,     // MUL_MAT, with a weight or with a view of the cache
    MatMulId,   // MUL_MAT_ID: routed experts
    Attention,  // FLASH_ATTN_EXT
    Scan,       // a recurrence over tokens: SSM_SCAN, GATED_DELTA_NET, RWKV_WKV6, ...
    Other,      // norms, rope, copies, elementwise
};

struct OpWork {
    OpFamily family = OpFamily::View;
    std::string_view op;     // the node's own; lives as long as the graph
    std::string_view quant;  // ggml type of what is streamed: weight, K cache, or the output
    double flops = 0;
    double bytes = 0;        // read and written
    double batch = 0;        // rows per weight matrix (per expert for MatMulId), query tokens for
                             // Attention; tokens of one sequence for Scan
    double size = 0;         // weight elements of one matrix (N*K); Attention: cells; else elements

    bool operator==(const OpWork&) const = default;
};

// A tensor that a Ref points at.
struct TensorView {
    std::string_view name;
    std::string_view type;
    Shape shape{1, 1, 1, 1};
    Bytes bytes = 0;
};

[[nodiscard]] TensorView tensor_of(const Ref& ref, const Graph& graph, const Inventory& inventory);

[[nodiscard]] std::int64_t elements(const Shape& shape);

// Routed experts that M tokens with k of E experts each touch, if routes are uniform:
// E*(1-(1-k/E)^M). Real routers repeat themselves: 365 tokens of 8/256 touch 152-156 of 256
// measured (facts 8.4), this says 256.
[[nodiscard]] double distinct_experts(double n_experts, double n_used, double n_tokens);

// Which tensors of a graph grow with the cache, and by how much each is read at a depth.
// Per node: fraction of the cells in view that hold tokens, in (0, 1]; 1 where nothing scales.
struct KvReach {
    std::vector<std::int64_t> cells;  // per node: cells of one stream that its tensor spans, or 0
    std::vector<double> fraction;     // per node: n_kv(depth) / cells of what it reads

    bool operator==(const KvReach&) const = default;
};

[[nodiscard]] KvReach kv_reach(const Graph& graph, const Inventory& inventory,
                               std::uint32_t depth_tokens);

// `index` into graph.nodes; `reach` of the same graph.
[[nodiscard]] OpWork op_work(const Graph& graph, std::size_t index, const Inventory& inventory,
                             const KvReach& reach);

// The same for one node of `graph`; computes the reach each time, so not for loops.
[[nodiscard]] OpWork op_work(const Node& node, const Graph& graph, const Inventory& inventory,
                             std::uint32_t depth_tokens);

}  // namespace pshard
