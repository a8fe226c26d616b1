// What one node of a graph does: flops and bytes, from its own shapes. No machine, no time.
//
// Source: [S4], corrected where [S7] found it wrong; every formula is in docs/models/cost.md.
// Depth:  graphs are captured at full context; what spans the KV cache counts for the cells in use
//         (cost/kv_reach.h).
#pragma once

#include <cstdint>
#include <string_view>

#include "inventory/inventory.h"

namespace pshard {

struct KvReach;

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
    std::string_view op{};     // as profiles name it (machine/row_name.h); lives as the graph does
    std::string_view quant{};  // ggml type of what is streamed: weight, K cache, or the output
    double flops = 0;
    double bytes = 0;  // read and written
    // MatMul: rows per weight matrix. MatMulId: rows per expert that is read. Attention: query
    // tokens. Scan: tokens of one sequence.
    double batch = 0;
    // MatMul, MatMulId: elements of one weight matrix, N*K. Attention: cells. Else elements.
    double size = 0;
    double head_dim = 0;  // Attention: of K; else 0

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
// measured [S22], this says 256.
[[nodiscard]] double distinct_experts(double n_experts, double n_used, double n_tokens);

// Views, and tensors that only name data.
[[nodiscard]] bool computes_nothing(const Node& node);

// `index` into graph.nodes; `reach` of the same graph.
[[nodiscard]] OpWork op_work(const Graph& graph,
                             std::size_t index,
                             const Inventory& inventory,
                             const KvReach& reach);

// The same for one node of `graph`; computes the reach each time, so not for loops.
[[nodiscard]] OpWork op_work(const Node& node,
                             const Graph& graph,
                             const Inventory& inventory,
                             std::uint32_t depth_tokens);

}  // namespace pshard
