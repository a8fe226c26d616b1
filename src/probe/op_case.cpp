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

double rows_of_matmul(const OpCase& op_case) {
    return double(op_case.n_tokens) * double(op_case.op == "MUL_MAT_ID" ? op_case.n_used : 1);
}

bool is_scan(std::string_view op) { return op == "GATED_DELTA_NET"; }

// A state of head_dim x head_dim for each head.
double state_elements(const OpCase& op_case) {
    return double(op_case.shape[0]) * double(op_case.shape[0]) * double(op_case.shape[1]);
}

// Elements of the tokens and of the three before them.
double with_past(const OpCase& op_case) {
    return product(op_case.shape) + 3 * double(op_case.shape[0]);
}

// Elements of the result; that of a recurrence holds the new state too.
double result_elements(const OpCase& op_case) {
    const double n = product(op_case.shape);
    if (op_case.op == "CONCAT") return with_past(op_case);
    if (is_scan(op_case.op)) return n + state_elements(op_case);
    return op_case.op == "SUM_ROWS" ? n / double(op_case.shape[0]) : n;
}

// Source and result once each, as src/cost counts them; the small operands (a norm's weights,
// positions, row numbers) are left out.
double other_bytes(const OpCase& op_case) {
    const double n = product(op_case.shape);
    if (op_case.op == "SET_ROWS" || op_case.op == "CPY") return 4 * n + type_bytes(op_case.type, n);
    if (op_case.op == "GET_ROWS") return type_bytes(op_case.type, n) + 4 * n;
    if (is_scan(op_case.op)) return 4 * (4 * n + 2 * state_elements(op_case));
    if (op_case.op == "CONCAT") return 4 * 2 * with_past(op_case);
    if (op_case.op == "SSM_CONV") return 4 * (n + with_past(op_case));
    const bool has_two_sources =
        op_case.op == "ADD" || op_case.op == "SWIGLU" || op_case.op == "GEGLU";
    return 4 * (n * (has_two_sources ? 2 : 1) + result_elements(op_case));
}

// Ops that move data count one flop per element, so that no row has a rate of 0.
double other_flops(const OpCase& op_case) {
    if (is_scan(op_case.op)) return 8 * product(op_case.shape) * double(op_case.shape[0]);
    return product(op_case.shape);
}

// How much each expert is liked: see Routing::Skewed. Which one is first, the seed says.
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

bool is_matmul(std::string_view op) { return op == "MUL_MAT" || op == "MUL_MAT_ID"; }

std::vector<std::int32_t> routes(const OpCase& op_case, std::uint32_t seed) {
    const auto n_experts = static_cast<std::uint32_t>(op_case.n_experts);
    const std::vector<double> weights = likings(n_experts, seed);
    std::mt19937 random(seed);
    std::vector<std::int32_t> ids;
    std::uint32_t next = (seed * 0x9e3779b9U) >> 8U;  // of near seeds, far from each other
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

double case_flops(const OpCase& op_case) {
    if (is_matmul(op_case.op))
        return 2 * double(op_case.n) * double(op_case.k) * rows_of_matmul(op_case);
    if (op_case.op == "FLASH_ATTN_EXT") {
        const double dims = double(op_case.head_dim + head_dim_v(op_case));
        return 2 * dims * double(op_case.n_tokens) * double(op_case.n_heads) *
               double(op_case.n_cells);
    }
    return other_flops(op_case);
}

double case_bytes(const OpCase& op_case) {
    const double rows = rows_of_matmul(op_case);
    if (op_case.op == "MUL_MAT")
        return expert_bytes(op_case) + 4 * double(op_case.n + op_case.k) * rows;
    if (op_case.op == "MUL_MAT_ID") {
        return expert_bytes(op_case) * double(touched_experts(op_case)) +
               4 * double(op_case.n + op_case.k) * rows;
    }
    if (op_case.op == "FLASH_ATTN_EXT") {
        const double query = double(op_case.n_tokens) * double(op_case.n_heads);
        return kv_bytes(op_case) + 4 * query * double(op_case.head_dim + head_dim_v(op_case));
    }
    return other_bytes(op_case);
}

Bytes cold_bytes(const OpCase& op_case) {
    if (op_case.op == "MUL_MAT") return static_cast<Bytes>(expert_bytes(op_case));
    if (op_case.op == "MUL_MAT_ID")
        return static_cast<Bytes>(expert_bytes(op_case) * double(op_case.n_experts));
    if (op_case.op == "FLASH_ATTN_EXT") return static_cast<Bytes>(kv_bytes(op_case));
    return 0;
}

Bytes cold_bytes_read(const OpCase& op_case) {
    if (op_case.op != "MUL_MAT_ID") return cold_bytes(op_case);
    return static_cast<Bytes>(expert_bytes(op_case) * double(touched_experts(op_case)));
}

OpRow row_of(const OpCase& op_case, Seconds seconds) {
    OpRow row{.op = op_case.op, .quant = op_case.type};
    const double flops = case_flops(op_case);
    const double bytes = case_bytes(op_case);
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
    } else if (op_case.op == "FLASH_ATTN_EXT") {
        row.op = op_case.n_heads_kv == 1 ? "FLASH_ATTN_MQA"
                                         : fmt::format("FLASH_ATTN_GQA-{}", op_case.n_heads_kv);
        if (op_case.n_heads_kv == op_case.n_heads) row.op = "FLASH_ATTN_MHA";
        row.n_tokens = op_case.n_tokens;
        row.ctx_len = op_case.n_cells;
        row.n_heads = op_case.n_heads_kv;
        row.head_dim = op_case.head_dim;
    } else {
        row.n_tokens = op_case.n_tokens;
        row.n_elements = static_cast<std::int64_t>(result_elements(op_case));
        row.head_dim = is_scan(op_case.op) ? op_case.shape[0] : 0;
    }
    return row;
}

double streamed_gb_per_s(const std::vector<OpRow>& rows) {
    constexpr double kLarge = 0.25;  // of the largest
    const auto weight_bytes = [](const OpRow& row) {
        const bool reads = is_matmul(row.op) && row.batch == 1;
        const double used = row.op == "MUL_MAT_ID" ? double(row.n_tokens) : 1;
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

std::string describe(const OpCase& op_case) {
    if (op_case.op == "MUL_MAT")
        return fmt::format("{} {} {}x{}, {} tokens",
                           op_case.op,
                           op_case.type,
                           op_case.n,
                           op_case.k,
                           op_case.n_tokens);
    if (op_case.op == "MUL_MAT_ID") {
        return fmt::format("{} {} {}x{}, {} of {} experts, {} tokens",
                           op_case.op,
                           op_case.type,
                           op_case.n,
                           op_case.k,
                           op_case.n_used,
                           op_case.n_experts,
                           op_case.n_tokens);
    }
    if (op_case.op == "FLASH_ATTN_EXT") {
        return fmt::format("{} {} {}/{} heads of {}, {} cells, {} tokens",
                           op_case.op,
                           op_case.type,
                           op_case.n_heads,
                           op_case.n_heads_kv,
                           op_case.head_dim,
                           op_case.n_cells,
                           op_case.n_tokens);
    }
    return fmt::format("{} {} {}, {} tokens",
                       op_case.op,
                       op_case.type,
                       fmt::join(op_case.shape, "x"),
                       op_case.n_tokens);
}

}  // namespace pshard
