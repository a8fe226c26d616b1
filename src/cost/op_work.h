// What one node of a graph does: flops and bytes, from its own shapes. No machine, no time.
//
// In:     a node, the tensors that it reads, and how much of the KV cache is in use
//         (cost/kv_reach.h): graphs are captured at full context.
// Out:    an OpWork: what a roofline needs to price the node on any processor.
// Source: docs/models/cost.md has every formula; the sums that profilers share are in
//         ops/op_sums.h, what is particular to an op in ops/op_table.h.
#pragma once

#include <cstdint>
#include <string_view>

#include "inventory/inventory.h"
#include "ops/op_table.h"

namespace pshard {

struct KvReach;

struct OpWork {
    OpFamily family = OpFamily::View;
    std::string_view op{};     // as profiles name it (profile_row); lives as the graph does
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

// Views, and tensors that only name data.
[[nodiscard]] bool computes_nothing(const Node& node);

// `index` into graph.nodes; `reach` of the same graph.
[[nodiscard]] OpWork op_work(const Graph& graph,
                             std::size_t index,
                             const Inventory& inventory,
                             const KvReach& reach);

}  // namespace pshard
