#include "probe/op_case.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include <fmt/format.h>

#include "machine/quant.h"

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

double expert_bytes(const OpCase& c) { return type_bytes(c.type, double(c.n) * double(c.k)); }

std::int64_t head_dim_v(const OpCase& c) { return c.head_dim_v > 0 ? c.head_dim_v : c.head_dim; }

double kv_bytes(const OpCase& c) {
    const double row = double(c.head_dim + head_dim_v(c)) * double(c.n_heads_kv);
    return type_bytes(c.type, row * double(c.n_cells));
}

double rows_of_matmul(const OpCase& c) {
    return double(c.n_tokens) * double(c.op == "MUL_MAT_ID" ? c.n_used : 1);
}

bool is_scan(std::string_view op) { return op == "GATED_DELTA_NET"; }

// A state of head_dim x head_dim for each head.
double state_elements(const OpCase& c) {
    return double(c.shape[0]) * double(c.shape[0]) * double(c.shape[1]);
}

// Elements of the tokens and of the three before them.
double with_past(const OpCase& c) { return product(c.shape) + 3 * double(c.shape[0]); }

// Elements of the result; that of a recurrence holds the new state too.
double result_elements(const OpCase& c) {
    const double n = product(c.shape);
    if (c.op == "CONCAT") return with_past(c);
    if (is_scan(c.op)) return n + state_elements(c);
    return c.op == "SUM_ROWS" ? n / double(c.shape[0]) : n;
}

// Source and result once each, as src/cost counts them; the small operands (a norm's weights,
// positions, row numbers) are left out.
double other_bytes(const OpCase& c) {
    const double n = product(c.shape);
    if (c.op == "SET_ROWS" || c.op == "CPY") return 4 * n + type_bytes(c.type, n);
    if (c.op == "GET_ROWS") return type_bytes(c.type, n) + 4 * n;
    if (is_scan(c.op)) return 4 * (4 * n + 2 * state_elements(c));
    if (c.op == "CONCAT") return 4 * 2 * with_past(c);
    if (c.op == "SSM_CONV") return 4 * (n + with_past(c));
    const bool has_two_sources = c.op == "ADD" || c.op == "SWIGLU" || c.op == "GEGLU";
    return 4 * (n * (has_two_sources ? 2 : 1) + result_elements(c));
}

// Ops that move data count one flop per element, so that no row has a rate of 0.
double other_flops(const OpCase& c) {
    if (is_scan(c.op)) return 8 * product(c.shape) * double(c.shape[0]);
    return product(c.shape);
}

}  // namespace

bool is_matmul(std::string_view op) { return op == "MUL_MAT" || op == "MUL_MAT_ID"; }

std::vector<std::int32_t> routes(const OpCase& c, std::uint32_t seed) {
    std::vector<std::int32_t> ids;
    const auto experts = static_cast<std::uint32_t>(c.n_experts);
    std::mt19937 random(seed);
    std::vector<double> weights(experts);
    for (std::uint32_t i = 0; i < experts; i++) {
        weights[(i + seed) % experts] = 1.0 / (double(i) + double(experts) / 8);
    }
    std::uint32_t next = seed * 7919U;
    for (std::int64_t token = 0; token < c.n_tokens; token++) {
        std::vector<double> left = weights;
        for (std::int64_t route = 0; route < c.n_used; route++) {
            std::uint32_t expert = next++ % experts;
            if (c.routing == Routing::Skewed) {
                expert =
                    std::discrete_distribution<std::uint32_t>(left.begin(), left.end())(random);
                left[expert] = 0;
            }
            ids.push_back(static_cast<std::int32_t>(expert));
        }
    }
    return ids;
}

std::int64_t touched_experts(const OpCase& c) {
    if (c.routing == Routing::RoundRobin) return std::min(c.n_experts, c.n_tokens * c.n_used);
    const std::vector<std::int32_t> all = routes(c, 0);
    return static_cast<std::int64_t>(std::set<std::int32_t>(all.begin(), all.end()).size());
}

double case_flops(const OpCase& c) {
    if (is_matmul(c.op)) return 2 * double(c.n) * double(c.k) * rows_of_matmul(c);
    if (c.op == "FLASH_ATTN_EXT") {
        const double dims = double(c.head_dim + head_dim_v(c));
        return 2 * dims * double(c.n_tokens) * double(c.n_heads) * double(c.n_cells);
    }
    return other_flops(c);
}

double case_bytes(const OpCase& c) {
    const double rows = rows_of_matmul(c);
    if (c.op == "MUL_MAT") return expert_bytes(c) + 4 * double(c.n + c.k) * rows;
    if (c.op == "MUL_MAT_ID") {
        return expert_bytes(c) * double(touched_experts(c)) + 4 * double(c.n + c.k) * rows;
    }
    if (c.op == "FLASH_ATTN_EXT") {
        const double query = double(c.n_tokens) * double(c.n_heads);
        return kv_bytes(c) + 4 * query * double(c.head_dim + head_dim_v(c));
    }
    return other_bytes(c);
}

Bytes cold_bytes(const OpCase& c) {
    if (c.op == "MUL_MAT") return static_cast<Bytes>(expert_bytes(c));
    if (c.op == "MUL_MAT_ID") return static_cast<Bytes>(expert_bytes(c) * double(c.n_experts));
    if (c.op == "FLASH_ATTN_EXT") return static_cast<Bytes>(kv_bytes(c));
    return 0;
}

OpRow row_of(const OpCase& c, Seconds seconds) {
    OpRow row{.op = c.op, .quant = c.type};
    const double flops = case_flops(c);
    const double bytes = case_bytes(c);
    row.intensity = flops / bytes;
    row.gb_per_s = bytes / seconds / 1e9;
    row.gflops = flops / seconds / 1e9;
    if (is_matmul(c.op)) {
        row.n = c.n;
        row.k = c.k;
        row.batch = c.n_tokens;
        row.n_tokens = c.n_used;
        row.ctx_len = c.n_experts;
        if (c.routing != Routing::RoundRobin) row.n_heads = touched_experts(c);
    } else if (c.op == "FLASH_ATTN_EXT") {
        row.op =
            c.n_heads_kv == 1 ? "FLASH_ATTN_MQA" : fmt::format("FLASH_ATTN_GQA-{}", c.n_heads_kv);
        if (c.n_heads_kv == c.n_heads) row.op = "FLASH_ATTN_MHA";
        row.n_tokens = c.n_tokens;
        row.ctx_len = c.n_cells;
        row.n_heads = c.n_heads_kv;
        row.head_dim = c.head_dim;
    } else {
        row.n_tokens = c.n_tokens;
        row.n_elements = static_cast<std::int64_t>(result_elements(c));
        row.head_dim = is_scan(c.op) ? c.shape[0] : 0;
    }
    return row;
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
    if (c.op == "MUL_MAT")
        return fmt::format("{} {} {}x{}, {} tokens", c.op, c.type, c.n, c.k, c.n_tokens);
    if (c.op == "MUL_MAT_ID") {
        return fmt::format("{} {} {}x{}, {} of {} experts, {} tokens",
                           c.op,
                           c.type,
                           c.n,
                           c.k,
                           c.n_used,
                           c.n_experts,
                           c.n_tokens);
    }
    if (c.op == "FLASH_ATTN_EXT") {
        return fmt::format("{} {} {}/{} heads of {}, {} cells, {} tokens",
                           c.op,
                           c.type,
                           c.n_heads,
                           c.n_heads_kv,
                           c.head_dim,
                           c.n_cells,
                           c.n_tokens);
    }
    return fmt::format("{} {} {}, {} tokens", c.op, c.type, fmt::join(c.shape, "x"), c.n_tokens);
}

}  // namespace pshard
