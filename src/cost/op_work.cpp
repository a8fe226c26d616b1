// How much work a node is.
//
// In:   a node, its sources, and the share of the KV cache that is in use (kv_reach.h).
// Out:  flops and bytes, and the batch and size by which a profile is searched for rates.
//
//     family      flops                           bytes
//     MatMul      2 K for each value              both factors, result
//     MatMulId    2 K for each value              touched experts, rows, routes, result
//     Attention   2 (dk + dv) queries * cells     Q, K, V, mask, result
//     Scan        per element and row of state    sources, result
//     other       per element of the result       what OpTraffic says
//
// Each node is taken as if it were alone: no fused kernels, and each tensor is read or written
// once.
//
// Traps: ggml's size of a strided view counts the gaps, so bytes come from elements and type.
// Graphs are captured at full context: a tensor that spans the cells, even a mask, counts only for
// the share in use. Kernels of attention skip what the mask hides, so its flops count visible cells
// and half of the batch's own, while its bytes count the padding. The result of SET_ROWS is the
// whole cache, of which it writes a few rows. A node with fewer sources than its row of the op
// table demands is taken for an op without a row.
#include "cost/op_work.h"

#include <algorithm>
#include <cmath>

#include "cost/kv_reach.h"
#include "machine/quant.h"
#include "ops/op_sums.h"

namespace pshard {

namespace {

double type_bytes(std::string_view type, double n_elements, double otherwise) {
    const auto bits = bits_per_weight(type);
    return bits ? n_elements * *bits / 8 : otherwise;
}

// The bytes of the elements alone; ggml's size of a strided view counts the gaps too.
double data_bytes(const TensorView& tensor) {
    return type_bytes(tensor.type, double(elements(tensor.shape)), double(tensor.bytes));
}

// A node with its sources, and how much of each source is read at this depth.
struct Sources {
    const Graph& graph;
    const Node& node;
    const Inventory& inventory;
    const KvReach& reach;
    std::int64_t cells = 0;  // cells of the cache that the node reads; 0: it reads none
    double fraction = 1;     // share of those cells that is in use, with the padding
    double visible = 1;      // the same without the padding

    Sources(const Graph& g, const Node& n, const Inventory& inv, const KvReach& r)
        : graph(g), node(n), inventory(inv), reach(r) {
        for (const Ref& ref : node.sources) {
            if (ref.kind != Ref::Kind::Node) continue;
            const auto index = static_cast<std::size_t>(ref.index);
            if (reach.cells[index] == 0) continue;
            cells = reach.cells[index];
            fraction = reach.fraction[index];
            visible = reach.visible[index];
        }
    }

    [[nodiscard]] std::size_t count() const { return node.sources.size(); }

    [[nodiscard]] TensorView at(std::size_t i) const {
        return tensor_of(node.sources[i], graph, inventory);
    }

    // The bytes of a tensor that are in use. An input may span the cells too, as a mask does.
    [[nodiscard]] double bytes_of(const TensorView& tensor) const {
        const bool scales = cells > 0 && has_extent(tensor.shape, cells);
        return data_bytes(tensor) * (scales ? fraction : 1.0);
    }

    [[nodiscard]] double bytes(std::size_t i) const { return bytes_of(at(i)); }

    [[nodiscard]] double all_bytes() const {
        double sum = 0;
        for (std::size_t i = 0; i < count(); i++) sum += bytes(i);
        return sum;
    }

    [[nodiscard]] TensorView result() const {
        return {node.name, node.type, node.shape, node.bytes};
    }
};

// The product src0 [K, N, ...] times src1 [K, M, ...] = [N, M, ...]. src0 is broadcast over the
// matrices of src1.
OpWork matmul_work(const Sources& in) {
    const TensorView weight = in.at(0);
    const double n_result = double(elements(in.node.shape));
    const double matrices = double(std::max<std::int64_t>(1, weight.shape[2] * weight.shape[3]));
    const double n = double(std::max<std::int64_t>(1, weight.shape[1]));
    OpWork work{.family = OpFamily::MatMul, .quant = weight.type};
    work.flops = product_flops(double(weight.shape[0]), n_result) * in.fraction;
    work.bytes = in.all_bytes() + in.bytes_of(in.result());
    work.batch = n_result / (n * matrices);
    work.size = double(weight.shape[0]) * n * in.fraction;
    return work;
}

// The product of routed experts: src0 [K, N, E], src1 [K, 1 or k, M], ids [k, M], result [N, k, M].
OpWork matmul_id_work(const Sources& in) {
    const TensorView weight = in.at(0);
    const Shape ids = in.at(2).shape;
    const double n_result = double(elements(in.node.shape));
    const double experts = double(std::max<std::int64_t>(1, weight.shape[2]));
    const double distinct = distinct_experts(experts, double(ids[0]), double(ids[1]));
    OpWork work{.family = OpFamily::MatMulId, .quant = weight.type};
    work.flops = product_flops(double(weight.shape[0]), n_result);
    work.bytes = data_bytes(weight) * distinct / experts + in.bytes(1) + in.bytes(2) +
                 data_bytes(in.result());
    work.batch = double(ids[0] * ids[1]) / distinct;
    work.size = double(weight.shape[0] * weight.shape[1]);
    return work;
}

// Attention: q [dk, tokens, heads, streams], k [dk, cells, KV heads, streams], v [dv, ...].
OpWork attention_work(const Sources& in) {
    const Shape q = in.at(0).shape;
    const Shape k = in.at(1).shape;
    const Shape v = in.at(2).shape;
    const double cells = double(k[1]) * in.visible;
    // A token of a batch sees only the cells before it. Kernels skip what the mask hides: the
    // padding, and on average half of the batch's own cells. Attention that reads no cache is not
    // causal.
    const double own = std::min(double(q[1]), cells);
    const double seen = in.cells > 0 ? cells - (own - 1) / 2 : cells;
    OpWork work{.family = OpFamily::Attention, .quant = in.at(1).type};
    work.flops = attention_flops(double(q[0] + v[0]), double(q[1] * q[2] * q[3]), seen);
    work.bytes = in.all_bytes() + data_bytes(in.result());
    work.batch = double(q[1]);
    work.size = cells;
    work.head_dim = double(k[0]);
    return work;
}

OpWork scan_work(const Sources& in, const OpRule& rule) {
    const TensorView counted = in.at(rule.scanned_source);
    const auto rows = rule.state_in_first_source ? in.at(0).shape[0] : counted.shape[0];
    OpWork work{.family = OpFamily::Scan, .quant = in.node.type};
    work.flops = rule.flops * double(rows) * double(elements(counted.shape));
    work.bytes = in.all_bytes() + data_bytes(in.result());
    work.batch = std::max(1.0, double(in.graph.n_tokens) / std::max(1u, in.graph.n_seqs));
    work.size = double(elements(in.node.shape));
    return work;
}

// The flops of one element of the result.
double element_flops(const Sources& in, const OpRule& rule) {
    switch (rule.flop_unit) {
        case FlopUnit::WindowElement:
            return rule.flops * double(in.at(1).shape[0]);
        case FlopUnit::Comparison:
            return rule.flops * std::log2(double(std::max<std::int64_t>(2, in.at(0).shape[0])));
        case FlopUnit::Element:
            break;
    }
    return rule.flops;
}

double other_bytes(const Sources& in, const OpRule& rule) {
    const TensorView result = in.result();
    switch (rule.traffic) {
        case OpTraffic::RowsRead: {
            const double n = double(elements(result.shape));
            return type_bytes(in.at(0).type, n, double(result.bytes)) + in.bytes(1) +
                   in.bytes_of(result);
        }
        case OpTraffic::RowsWritten: {  // the result is the whole cache
            const double n = double(elements(in.at(0).shape));
            return in.bytes(0) + in.bytes(1) + type_bytes(result.type, n, in.bytes(0));
        }
        case OpTraffic::Copy:
            return in.bytes(0) + in.bytes_of(result);
        case OpTraffic::Whole:
            break;
    }
    return in.all_bytes() + in.bytes_of(result);
}

OpWork other_work(const Sources& in, const OpRule& rule) {
    const double n = double(std::max<std::int64_t>(0, elements(in.node.shape)));
    const bool scales = in.cells > 0 && has_extent(in.node.shape, in.cells);
    OpWork work{.family = OpFamily::Other, .quant = in.node.type};
    work.flops = element_flops(in, rule) * n * (scales ? in.fraction : 1.0);
    work.bytes = other_bytes(in, rule);
    work.batch = 1;
    work.size = n;
    return work;
}

OpWork work_of(const Sources& in, const OpRule& rule) {
    if (in.count() < rule.n_sources) return other_work(in, OpRule{});
    switch (rule.family) {
        case OpFamily::View:
            return {};
        case OpFamily::MatMul:
            return matmul_work(in);
        case OpFamily::MatMulId:
            return matmul_id_work(in);
        case OpFamily::Attention:
            return attention_work(in);
        case OpFamily::Scan:
            return scan_work(in, rule);
        case OpFamily::Other:
            break;
    }
    return other_work(in, rule);
}

OpWork named_work(const Sources& in) {
    OpWork work;
    if (!computes_nothing(in.node)) work = work_of(in, op_rule(in.node.op));
    work.op = in.node.op;
    if (in.count() >= 2) work.op = profile_row(work.op, in.at(0).shape, in.at(1).shape);
    return work;
}

}  // namespace

std::int64_t elements(const Shape& shape) { return shape[0] * shape[1] * shape[2] * shape[3]; }

bool computes_nothing(const Node& node) {
    return node.is_view || op_rule(node.op).family == OpFamily::View;
}

OpWork op_work(const Graph& graph,
               std::size_t index,
               const Inventory& inventory,
               const KvReach& reach) {
    return named_work(Sources(graph, graph.nodes.at(index), inventory, reach));
}

}  // namespace pshard
