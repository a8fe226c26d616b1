// What follows from a case: its flops, its bytes, its routes, and its row in a profile.
//
// In:   an OpCase, and for a row the seconds that one computation took.
// Out:  sums (ops/op_sums.h), the bytes that must come from memory, an OpRow.
//
//     case        flops                       bytes                           cold bytes
//     MUL_MAT     2 n k tokens                weight, rows, result            the weight
//     MUL_MAT_ID  2 n k tokens used           touched experts, rows, result   all its experts
//     attention   2 (dk + dv) queries cells   K and V, queries, result        K and V
//     recurrence  per element and state row   what it reads and writes        none
//     others      one for each element        what it reads and writes        none
//
// A row holds rates: the sums over the seconds. Its columns are those of the published profilers,
// so a count may stand under another name: MUL_MAT_ID has its experts in ctx_len, attention its
// cells.
//
// Traps: bytes are counted as src/cost counts them, or the planner would read the rates wrongly.
// Even an op that only moves data counts one flop for each element, since a rate of 0 means "not
// measured" in a profile. Routes follow from a seed, so each visit of a case reads the same
// experts.
#include "probe/op_case.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include <fmt/format.h>

#include "base/counted.h"
#include "machine/quant.h"
#include "ops/op_table.h"

namespace pshard {

namespace {

double product(const Shape& shape) {
    double n = 1;
    for (const std::int64_t extent : shape) n *= double(std::max<std::int64_t>(1, extent));
    return n;
}

double type_bytes(std::string_view type, double n_elements) {
    return n_elements * bits_per_weight(type).value_or(32) / 8;
}

double expert_bytes(const OpCase& op_case) {
    return type_bytes(op_case.type, double(op_case.n) * double(op_case.k));
}

std::int64_t head_dim_v(const OpCase& op_case) {
    return op_case.head_dim_v > 0 ? op_case.head_dim_v : op_case.head_dim;
}

double kv_bytes(const OpCase& op_case) {
    const double row = double(op_case.head_dim + head_dim_v(op_case)) * double(op_case.n_heads_kv);
    return type_bytes(op_case.type, row * double(op_case.n_cells));
}

OpFamily family_of(const OpCase& op_case) { return op_rule(op_case.op).family; }

FlopsAndBytes sums_of_product(const OpCase& op_case) {
    const bool routed = family_of(op_case) == OpFamily::MatMulId;
    const double rows = double(op_case.n_tokens) * double(routed ? op_case.n_used : 1);
    return product_sums(double(op_case.n),
                        double(op_case.k),
                        rows,
                        expert_bytes(op_case) * double(routed ? touched_experts(op_case) : 1));
}

FlopsAndBytes sums_of_attention(const OpCase& op_case) {
    const double dims = double(op_case.head_dim + head_dim_v(op_case));
    const double queries = double(op_case.n_tokens) * double(op_case.n_heads);
    return {attention_flops(dims, queries, double(op_case.n_cells)),
            kv_bytes(op_case) + 4 * queries * dims};
}

// The elements that any other op reads and writes, as src/cost counts them. Small operands (a
// norm's weights, positions, row numbers) are left out.
struct Elements {
    double read = 0;
    double written = 0;
};

Elements elements_of(const OpCase& op_case) {
    const double n = product(op_case.shape);
    const double past = 3 * double(op_case.shape[0]);  // three tokens before the batch
    if (family_of(op_case) == OpFamily::Scan) {
        // It reads q, k, v and a state of head_dim x head_dim for each head, and writes the new
        // one.
        const double state =
            double(op_case.shape[0]) * double(op_case.shape[0]) * double(op_case.shape[1]);
        return {3 * n + state, n + state};
    }
    if (op_case.op == "CONCAT") return {n + past, n + past};
    if (op_case.op == "SSM_CONV") return {n + past, n};
    if (op_case.op == "SUM_ROWS") return {n, n / double(op_case.shape[0])};
    return {n * op_rule(op_case.op).n_operands, n};
}

FlopsAndBytes sums_of_other(const OpCase& op_case) {
    const OpRule& rule = op_rule(op_case.op);
    const double n = product(op_case.shape);
    const auto [read, written] = elements_of(op_case);
    const bool scans = rule.family == OpFamily::Scan;
    // An op that moves rows reads them as f32 and writes them in the case's type.
    const bool moves = rule.traffic != OpTraffic::Whole;
    return {scans ? rule.flops * n * double(op_case.shape[0]) : n,
            4 * read + (moves ? type_bytes(op_case.type, written) : 4 * written)};
}

// How much tokens like each expert (Routing::Skewed). The seed says which expert is the first.
std::vector<double> likings(std::uint32_t n_experts, std::uint32_t seed) {
    std::vector<double> weights(n_experts);
    for (std::uint32_t i = 0; i < n_experts; i++) {
        weights[(i + seed) % n_experts] = 1.0 / (double(i) + double(n_experts) / 8);
    }
    return weights;
}

std::uint32_t draw_without_return(std::vector<double>& weights, std::mt19937& random) {
    std::discrete_distribution<std::uint32_t> distribution(weights.begin(), weights.end());
    const std::uint32_t drawn = distribution(random);
    weights[drawn] = 0;
    return drawn;
}

}  // namespace

bool is_matmul(std::string_view op) {
    const OpFamily family = op_rule(op).family;
    return family == OpFamily::MatMul || family == OpFamily::MatMulId;
}

std::vector<std::int32_t> routes(const OpCase& op_case, std::uint32_t seed) {
    const auto n_experts = static_cast<std::uint32_t>(op_case.n_experts);
    const std::vector<double> weights = likings(n_experts, seed);
    std::mt19937 random(seed);
    std::vector<std::int32_t> ids;
    std::uint32_t next = (seed * 0x9e3779b9U) >> 8U;  // seeds that are close give distant values
    for (std::int64_t token = 0; token < op_case.n_tokens; token++) {
        std::vector<double> left = weights;
        for (std::int64_t route = 0; route < op_case.n_used; route++) {
            const std::uint32_t expert = op_case.routing == Routing::Skewed
                                             ? draw_without_return(left, random)
                                             : next++ % n_experts;
            ids.push_back(static_cast<std::int32_t>(expert));
        }
    }
    return ids;
}

std::int64_t touched_experts(const OpCase& op_case) {
    if (op_case.routing == Routing::RoundRobin)
        return std::min(op_case.n_experts, op_case.n_tokens * op_case.n_used);
    const std::vector<std::int32_t> all = routes(op_case, 0);
    return static_cast<std::int64_t>(std::set<std::int32_t>(all.begin(), all.end()).size());
}

FlopsAndBytes sums_of(const OpCase& op_case) {
    if (is_matmul(op_case.op)) return sums_of_product(op_case);
    return family_of(op_case) == OpFamily::Attention ? sums_of_attention(op_case)
                                                     : sums_of_other(op_case);
}

Bytes cold_bytes(const OpCase& op_case) {
    switch (family_of(op_case)) {
        case OpFamily::MatMul:
            return static_cast<Bytes>(expert_bytes(op_case));
        case OpFamily::MatMulId:
            return static_cast<Bytes>(expert_bytes(op_case) * double(op_case.n_experts));
        case OpFamily::Attention:
            return static_cast<Bytes>(kv_bytes(op_case));
        default:
            return 0;
    }
}

Bytes cold_bytes_read(const OpCase& op_case) {
    if (family_of(op_case) != OpFamily::MatMulId) return cold_bytes(op_case);
    return static_cast<Bytes>(expert_bytes(op_case) * double(touched_experts(op_case)));
}

OpRow row_of(const OpCase& op_case, Seconds seconds) {
    OpRow row{.op = op_case.op, .quant = op_case.type};
    const auto [flops, bytes] = sums_of(op_case);
    row.intensity = flops / bytes;
    row.gb_per_s = bytes / seconds / 1e9;
    row.gflops = flops / seconds / 1e9;
    if (is_matmul(op_case.op)) {
        row.n = op_case.n;
        row.k = op_case.k;
        row.batch = op_case.n_tokens;
        row.n_tokens = op_case.n_used;
        row.ctx_len = op_case.n_experts;
        if (op_case.routing != Routing::RoundRobin) row.n_heads = touched_experts(op_case);
    } else if (family_of(op_case) == OpFamily::Attention) {
        row.op = op_case.n_heads_kv == 1 ? "FLASH_ATTN_MQA"
                                         : fmt::format("FLASH_ATTN_GQA-{}", op_case.n_heads_kv);
        if (op_case.n_heads_kv == op_case.n_heads) row.op = "FLASH_ATTN_MHA";
        row.n_tokens = op_case.n_tokens;
        row.ctx_len = op_case.n_cells;
        row.n_heads = op_case.n_heads_kv;
        row.head_dim = op_case.head_dim;
    } else {
        row.n_tokens = op_case.n_tokens;
        row.n_elements = static_cast<std::int64_t>(elements_of(op_case).written);
        row.head_dim = family_of(op_case) == OpFamily::Scan ? op_case.shape[0] : 0;
    }
    return row;
}

double streamed_gb_per_s(const std::vector<OpRow>& rows) {
    constexpr double kLarge = 0.25;  // the share of the largest weight that makes a weight large
    const auto weight_bytes = [](const OpRow& row) {
        const bool reads = is_matmul(row.op) && row.batch == 1;
        const bool routed = op_rule(row.op).family == OpFamily::MatMulId;
        const double used = routed ? double(row.n_tokens) : 1;
        return reads ? type_bytes(row.quant, used * double(row.n) * double(row.k)) : 0;
    };
    double largest = 0;
    for (const OpRow& row : rows) largest = std::max(largest, weight_bytes(row));
    double best = 0;
    for (const OpRow& row : rows) {
        const double bytes = weight_bytes(row);
        if (bytes > 0 && bytes >= kLarge * largest) best = std::max(best, row.gb_per_s);
    }
    return best;
}

void finish_ridges(std::vector<OpRow>& rows, double gb_per_s) {
    std::map<std::pair<std::string, std::string>, double> peaks;
    for (const OpRow& row : rows) {
        double& peak = peaks[{row.op, row.quant}];
        peak = std::max(peak, row.gflops);
    }
    for (OpRow& row : rows) row.ridge = peaks[{row.op, row.quant}] / gb_per_s;
}

std::string describe(const OpCase& c) {
    const auto shape = [&]() -> std::string {
        switch (family_of(c)) {
            case OpFamily::MatMul:
                return fmt::format("{}x{}", c.n, c.k);
            case OpFamily::MatMulId:
                return fmt::format("{}x{}, {} of {} experts", c.n, c.k, c.n_used, c.n_experts);
            case OpFamily::Attention:
                return fmt::format(
                    "{}/{} heads of {}, {} cells", c.n_heads, c.n_heads_kv, c.head_dim, c.n_cells);
            default:
                return fmt::format("{}", fmt::join(c.shape, "x"));
        }
    };
    return fmt::format("{} {} {}, {}", c.op, c.type, shape(), counted(c.n_tokens, "token"));
}

}  // namespace pshard
