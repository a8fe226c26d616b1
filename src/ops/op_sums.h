// The sums behind every figure of flops and bytes, written once: for a node of a graph
// (cost/op_work.h), for a case that a profiler times (probe/op_case.h) and for a row of a profile
// (cost/rate_table.h). What each of the three knows of a shape is another thing; the sum is not.
//
// All arguments are counts of elements, so that the sums are exact up to 2^53.
#pragma once

namespace pshard {

struct FlopsAndBytes {
    double flops = 0;
    double bytes = 0;  // read and written, each once
};

// A product whose `n_results` values are sums over `k` factors: a multiplication and an addition.
[[nodiscard]] constexpr double product_flops(double k, double n_results) {
    return 2 * k * n_results;
}

// The same of `rows` rows, f32, by matrices [k, n] of which `weight_bytes` are read: of routed
// experts, those that the rows touch.
[[nodiscard]] constexpr FlopsAndBytes product_sums(double n,
                                                   double k,
                                                   double rows,
                                                   double weight_bytes) {
    return {product_flops(k, n * rows), weight_bytes + 4 * (n + k) * rows};
}

// `queries` vectors against `cells` keys, and the values weighted by what comes out. `dims`: of a
// key and a value together.
[[nodiscard]] constexpr double attention_flops(double dims, double queries, double cells) {
    return 2 * dims * queries * cells;
}

// Routed experts that M tokens with k of E experts each touch, if routes are uniform:
// E*(1-(1-k/E)^M). Real routers repeat themselves: 365 tokens of 8/256 touch 152-156 of 256
// measured [S22], this says 256.
[[nodiscard]] double distinct_experts(double n_experts, double n_used, double n_tokens);

}  // namespace pshard
