#include <algorithm>

#include "run/run_plan.h"

namespace pshard::tool {

std::uint32_t best_ubatch(const std::vector<TierPass>& tiers, std::uint32_t prompt) {
    const auto seconds = [&](const TierPass& tier) {
        return std::max(1.0, double(prompt) / tier.n_tokens) * tier.seconds;
    };
    const TierPass* best = nullptr;
    for (const TierPass& tier : tiers) {
        if (tier.seconds <= 0 || tier.n_tokens == 0) continue;
        if (best == nullptr || seconds(tier) < seconds(*best)) best = &tier;
    }
    return best == nullptr ? 0 : best->n_tokens;
}

}  // namespace pshard::tool
