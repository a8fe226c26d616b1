#include "search/dominated.h"

#include <algorithm>

#include "plan/tiers.h"

namespace pshard {
namespace {

const Prediction* prediction_of(const TierPlan& tier) {
    const Candidate* plan = tier.winner();
    return plan != nullptr && plan->prediction ? &*plan->prediction : nullptr;
}

// Whether batches of `small`, one after the other, are faster than one of `large`.
bool dominates(const TierPlan& small, const TierPlan& large) {
    if (small.key.n_depth != large.key.n_depth || small.winner() == nullptr) return false;
    return large.winner() == nullptr || is_faster(small, large);
}

}  // namespace

double rate_behind(const TierPlan& tier, std::uint32_t depth_tokens) {
    const Prediction* plan = prediction_of(tier);
    if (plan == nullptr) return 0;
    if (!tier.empty || plan->depth_tokens <= depth_tokens) return plan->tokens_per_second;
    const double share = double(depth_tokens) / plan->depth_tokens;
    const Seconds empty = tier.empty->pass_seconds;
    return tier.key.n_tokens / (empty + share * (plan->pass_seconds - empty));
}

bool is_faster(const TierPlan& small, const TierPlan& large) {
    const Prediction* plan = prediction_of(large);
    if (plan == nullptr) return prediction_of(small) != nullptr;
    return rate_behind(small, plan->depth_tokens) > plan->tokens_per_second;
}

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
