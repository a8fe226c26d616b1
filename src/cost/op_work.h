// The work of one node of a graph: its flops and bytes, by its shapes alone. No machine, no time.
//
// In:     a node, the tensors that it reads, and how much of the KV cache is in use
//         (cost/kv_reach.h), since graphs are captured at full context.
// Out:    an OpWork: what a roofline needs to price the node on any processor.
// Source: docs/models/cost.md has every formula. ops/op_sums.h has the sums that profilers share,
//         ops/op_table.h the facts of each op.
#pragma once

#include <cstdint>
#include <string_view>

#include "inventory/tensor_view.h"
#include "ops/op_table.h"

namespace pshard {

struct KvReach;

struct OpWork {
    OpFamily family = OpFamily::View;
    std::string_view op{};     // as profiles name it (profile_row); valid while the graph lives
    std::string_view quant{};  // ggml type of the weight or K cache; of other ops, of the result
    double flops = 0;
    double bytes = 0;  // read and written
    // MatMul: rows per weight matrix. MatMulId: rows per expert that is read. Attention: query
    // tokens. Scan: tokens of one sequence. Other: 1.
    double batch = 0;
    // MatMul, MatMulId: elements of one weight matrix, N*K. Attention: cells. Scan, Other: elements
    // of the result.
    double size = 0;
    double head_dim = 0;  // Attention: that of K; else 0

    bool operator==(const OpWork&) const = default;
};

[[nodiscard]] std::int64_t elements(const Shape& shape);

// Whether a node is a view, or a tensor that only names data.
[[nodiscard]] bool computes_nothing(const Node& node);

// The work of graph.nodes[index]. `reach` must belong to the same graph.
[[nodiscard]] OpWork op_work(const Graph& graph,
                             std::size_t index,
                             const Inventory& inventory,
                             const KvReach& reach);

}  // namespace pshard
