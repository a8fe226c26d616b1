// The sums behind every figure of flops and bytes, written once for three users: a node of a graph
// (cost/op_work.h), a case that a profiler times (probe/op_case.h) and a row of a profile
// (cost/rate_table.h). The three know different things of a shape, but they need the same sums.
//
// All arguments are counts of elements, so that the sums are exact up to 2^53.
#pragma once

namespace pshard {

struct FlopsAndBytes {
    double flops = 0;
    double bytes = 0;  // read and written, each once
};

// The flops of a product with `n_results` values, each a sum over `k` factors: one multiplication
// and one addition for each factor.
[[nodiscard]] constexpr double product_flops(double k, double n_results) {
    return 2 * k * n_results;
}

// Flops and bytes of the product of `rows` f32 rows with matrices [k, n], of which `weight_bytes`
// are read. For routed experts, these are the bytes of the experts that the rows touch.
[[nodiscard]] constexpr FlopsAndBytes product_sums(double n,
                                                   double k,
                                                   double rows,
                                                   double weight_bytes) {
    return {product_flops(k, n * rows), weight_bytes + 4 * (n + k) * rows};
}

// The flops of attention: `queries` vectors are multiplied by `cells` keys, and the results weight
// as many values. `dims` counts the elements of a key and of a value together.
[[nodiscard]] constexpr double attention_flops(double dims, double queries, double cells) {
    return 2 * dims * queries * cells;
}

// How many of E routed experts M tokens touch, if each token takes k experts with equal chances:
// E*(1-(1-k/E)^M). Real routers repeat themselves: 365 tokens with 8 of 256 experts each were
// measured to touch 152 to 156 experts [S22], while this formula says 256.
[[nodiscard]] double distinct_experts(double n_experts, double n_used, double n_tokens);

}  // namespace pshard
