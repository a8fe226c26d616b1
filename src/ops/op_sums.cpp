#include "ops/op_sums.h"

#include <algorithm>
#include <cmath>

namespace pshard {

double distinct_experts(double n_experts, double n_used, double n_tokens) {
    if (n_experts <= 0 || n_used <= 0 || n_tokens <= 0) return 0;
    const double share = std::min(1.0, n_used / n_experts);
    return n_experts * (1 - std::pow(1 - share, n_tokens));
}

}  // namespace pshard
