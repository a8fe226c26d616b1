// Which ops a model computes, as cases to be timed.
//
// In:   an inventory, whose graphs have the nodes of each tier.
// Out:  each case that the graphs hold, once, in the order of the graphs.
//
//     node -> its row in the op table -> MUL_MAT       weight [k, n], rows of source 1
//                                        MUL_MAT_ID    weight [k, n, E], ids [used, tokens]
//                                        attention     q, k and v
//                                        other ops     the shape that its CaseForm says
//
// Two nodes are the same case if describe() says the same of both: most layers of a model are
// alike.
//
// Traps: a MUL_MAT without a weight (attention without FLASH_ATTN_EXT) is left out, and so is a
// node whose shape a case cannot have. A case tells what a node reads, not how that lies in memory.
#include <optional>
#include <set>
#include <string_view>

#include "inventory/tensor_view.h"
#include "ops/op_table.h"
#include "probe/op_lists.h"

namespace pshard {

namespace {

using Operands = std::vector<TensorView>;

std::optional<OpCase> matmul_case(const Node& node, const Operands& in) {
    const Shape& weight = in[0].shape;
    if (node.sources[0].kind != Ref::Kind::Weight || weight[2] * weight[3] > 1) return std::nullopt;
    const Shape& rows = in[1].shape;
    return OpCase{.op = "MUL_MAT",
                  .type = std::string(in[0].type),
                  .n_tokens = rows[1] * rows[2] * rows[3],
                  .n = weight[1],
                  .k = weight[0]};
}

OpCase experts_case(const Operands& in) {
    return OpCase{.op = "MUL_MAT_ID",
                  .type = std::string(in[0].type),
                  .n_tokens = in[2].shape[1],
                  .n = in[0].shape[1],
                  .k = in[0].shape[0],
                  .n_experts = in[0].shape[2],
                  .n_used = in[2].shape[0]};
}

// Attention: q [d, tokens, heads, streams], k [d, cells, KV heads, streams], v [dv, ...].
OpCase attention_case(const Operands& in) {
    const Shape& q = in[0].shape;
    const Shape& k = in[1].shape;
    return OpCase{.op = "FLASH_ATTN_EXT",
                  .type = std::string(in[1].type),
                  .n_tokens = q[1],
                  .n_cells = k[1],
                  .n_heads = q[2],
                  .n_heads_kv = k[2],
                  .head_dim = k[0],
                  .head_dim_v = in[2].shape[0] == k[0] ? 0 : in[2].shape[0]};
}

std::int64_t rows_of(const Shape& shape) { return shape[1] * shape[2] * shape[3]; }

std::optional<OpCase> element_case(const Node& node, CaseForm form, const Operands& in) {
    const Shape& shape = in[0].shape;
    const auto made = [&](std::string_view op, const Shape& of_case, std::int64_t tokens) {
        return OpCase{
            .op = std::string(op), .type = node.type, .n_tokens = tokens, .shape = of_case};
    };
    switch (form) {
        case CaseForm::Rows: {
            if (in[0].type != "f32" || node.shape[0] > shape[0]) return std::nullopt;
            const std::string_view name =
                in.size() >= 2 ? profile_row(node.op, shape, in[1].shape) : node.op;
            return made(name, {shape[0], rows_of(shape), 1, 1}, rows_of(shape));
        }
        case CaseForm::Heads: {
            const std::int64_t tokens = shape[2] * shape[3];
            return made(node.op, {shape[0], shape[1], tokens, 1}, tokens);
        }
        case CaseForm::WrittenRows:
            if (shape[2] * shape[3] != 1) return std::nullopt;
            return made(node.op, {shape[0], shape[1], 1, 1}, shape[1]);
        case CaseForm::ValuesOfScan:
            if (in[2].shape[3] != 1) return std::nullopt;
            return made(node.op, in[2].shape, in[2].shape[2]);
        case CaseForm::None:
            break;
    }
    return std::nullopt;
}

std::optional<OpCase> case_of(const Node& node, const Graph& graph, const Inventory& inventory) {
    Operands in;
    for (const Ref& ref : node.sources) in.push_back(tensor_of(ref, graph, inventory));
    const OpRule& rule = op_rule(node.op);
    if (node.is_view || in.empty() || in.size() < rule.n_sources) return std::nullopt;
    switch (rule.family) {
        case OpFamily::MatMul:
            return matmul_case(node, in);
        case OpFamily::MatMulId:
            return experts_case(in);
        case OpFamily::Attention:
            return attention_case(in);
        default:
            return element_case(node, rule.form, in);
    }
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
