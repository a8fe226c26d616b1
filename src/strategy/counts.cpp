#include "strategy/counts.h"

#include <algorithm>

namespace pshard {

std::vector<int> counts_to(int n_layers, int top) {
    const int step = tries_all(n_layers) ? 1 : std::max(1, n_layers / 8);
    std::vector<int> counts;
    for (int n = top; n > 0; n -= std::min(n, step)) counts.push_back(n);
    counts.push_back(0);
    return counts;
}

}  // namespace pshard
