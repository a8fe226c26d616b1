#include "search/dominated.h"

#include <algorithm>

#include "plan/tiers.h"

namespace pshard {
namespace {

double rate_of(const TierPlan& tier) {
    const Candidate* plan = tier.winner();
    return plan != nullptr && plan->prediction ? plan->prediction->tokens_per_second : 0;
}

// Whether batches of `small`, one after the other, are faster than one of `large`.
bool dominates(const TierPlan& small, const TierPlan& large) {
    if (small.key.n_depth != large.key.n_depth || small.winner() == nullptr) return false;
    return large.winner() == nullptr || rate_of(small) > rate_of(large);
}

}  // namespace

std::vector<TierPlan> take_dominated(std::vector<TierPlan>& tiers,
                                     std::optional<std::uint32_t> named) {
    std::vector<TierPlan> kept;
    std::vector<TierPlan> dominated;
    for (TierPlan& tier : tiers) {
        const bool is_choice = tier.key.n_tokens >= kFirstPromptTier && tier.key.n_tokens != named;
        const bool goes = is_choice && std::ranges::any_of(kept, [&](const TierPlan& smaller) {
                              return dominates(smaller, tier);
                          });
        (goes ? dominated : kept).push_back(std::move(tier));
    }
    tiers = std::move(kept);
    return dominated;
}

}  // namespace pshard
