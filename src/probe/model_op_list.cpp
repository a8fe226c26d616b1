#include <algorithm>
#include <optional>
#include <set>
#include <string_view>

#include "machine/row_name.h"
#include "probe/op_lists.h"

namespace pshard {

namespace {

struct Operand {
    std::string type{};
    Shape shape{1, 1, 1, 1};
    bool is_weight = false;
};

Operand operand_of(const Ref& ref, const Graph& graph, const Inventory& inventory) {
    const auto index = static_cast<std::size_t>(ref.index);
    const auto of = [&](const auto& tensor) {
        return Operand{tensor.type, tensor.shape, ref.kind == Ref::Kind::Weight};
    };
    switch (ref.kind) {
        case Ref::Kind::Weight:
            return of(inventory.weights.at(index));
        case Ref::Kind::State:
            return of(inventory.states.at(index));
        case Ref::Kind::Input:
            return of(graph.inputs.at(index));
        case Ref::Kind::Node:
            break;
    }
    return of(graph.nodes.at(index));
}

using Operands = std::vector<Operand>;

std::optional<OpCase> matmul_case(const Operands& in) {
    const Shape& weight = in[0].shape;
    if (in.size() < 2 || !in[0].is_weight || weight[2] * weight[3] > 1) return std::nullopt;
    const Shape& rows = in[1].shape;
    return OpCase{.op = "MUL_MAT",
                  .type = in[0].type,
                  .n_tokens = rows[1] * rows[2] * rows[3],
                  .n = weight[1],
                  .k = weight[0]};
}

std::optional<OpCase> experts_case(const Operands& in) {
    if (in.size() < 3) return std::nullopt;
    return OpCase{.op = "MUL_MAT_ID",
                  .type = in[0].type,
                  .n_tokens = in[2].shape[1],
                  .n = in[0].shape[1],
                  .k = in[0].shape[0],
                  .n_experts = in[0].shape[2],
                  .n_used = in[2].shape[0]};
}

// q [d, tokens, heads, streams], k [d, cells, KV heads, streams], v [dv, ...]
std::optional<OpCase> attention_case(const Operands& in) {
    if (in.size() < 3) return std::nullopt;
    const Shape& q = in[0].shape;
    const Shape& k = in[1].shape;
    return OpCase{.op = "FLASH_ATTN_EXT",
                  .type = in[1].type,
                  .n_tokens = q[1],
                  .n_cells = k[1],
                  .n_heads = q[2],
                  .n_heads_kv = k[2],
                  .head_dim = k[0],
                  .head_dim_v = in[2].shape[0] == k[0] ? 0 : in[2].shape[0]};
}

// Ops on [columns, rows]: everything above the first dimension is rows.
bool works_on_rows(std::string_view op) {
    static const std::set<std::string_view> ops = {"RMS_NORM",
                                                   "NORM",
                                                   "L2_NORM",
                                                   "MUL",
                                                   "ADD",
                                                   "SCALE",
                                                   "SILU",
                                                   "GELU",
                                                   "SIGMOID",
                                                   "SOFTPLUS",
                                                   "SWIGLU",
                                                   "GEGLU",
                                                   "SOFT_MAX",
                                                   "ARGSORT",
                                                   "SUM_ROWS"};
    return ops.contains(op);
}

std::optional<OpCase> element_case(const Node& node, const Operands& in) {
    OpCase c{.op = node.op, .type = node.type};
    const Shape& shape = in[0].shape;
    if (works_on_rows(node.op)) {
        if (in[0].type != "f32" || node.shape[0] > shape[0]) return std::nullopt;
        c.shape = {shape[0], shape[1] * shape[2] * shape[3], 1, 1};
        c.n_tokens = c.shape[1];
        if (in.size() >= 2) c.op = row_name(node.op, shape, in[1].shape);
        return c;
    }
    if (node.op == "ROPE") {
        c.shape = {shape[0], shape[1], shape[2] * shape[3], 1};
        c.n_tokens = c.shape[2];
        return c;
    }
    if (node.op == "SET_ROWS" && in.size() >= 2 && shape[2] * shape[3] == 1) {
        c.shape = {shape[0], shape[1], 1, 1};
        c.n_tokens = shape[1];
        return c;
    }
    if (node.op == "GATED_DELTA_NET" && in.size() >= 3 && in[2].shape[3] == 1) {
        c.shape = in[2].shape;
        c.n_tokens = c.shape[2];
        return c;
    }
    return std::nullopt;
}

std::optional<OpCase> case_of(const Node& node, const Graph& graph, const Inventory& inventory) {
    Operands in;
    for (const Ref& ref : node.sources) in.push_back(operand_of(ref, graph, inventory));
    if (node.is_view || in.empty()) return std::nullopt;
    if (node.op == "MUL_MAT") return matmul_case(in);
    if (node.op == "MUL_MAT_ID") return experts_case(in);
    if (node.op == "FLASH_ATTN_EXT") return attention_case(in);
    return element_case(node, in);
}

}  // namespace

std::vector<OpCase> model_op_list(const Inventory& inventory) {
    std::vector<OpCase> cases;
    std::set<std::string> seen;
    for (const Graph& graph : inventory.graphs) {
        for (const Node& node : graph.nodes) {
            const std::optional<OpCase> found = case_of(node, graph, inventory);
            if (found && seen.insert(describe(*found)).second) cases.push_back(*found);
        }
    }
    return cases;
}

}  // namespace pshard
