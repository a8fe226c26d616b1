#include "search/dominated.h"

#include <algorithm>

#include "plan/tiers.h"

namespace pshard {
namespace {

// Whether batches of `small`, one after the other, are faster than one of `large`.
bool dominates(const TierPlan& small, const TierPlan& large) {
    if (small.key.n_depth != large.key.n_depth || small.winner() == nullptr) return false;
    return large.winner() == nullptr || is_faster(small, large);
}

}  // namespace

bool is_faster(const TierPlan& small, const TierPlan& large) {
    if (!small.times.known() || !large.times.known()) return small.times.known();
    const std::uint32_t depth = large.winner()->prediction->depth_tokens;
    return prompt_seconds(small.times, large.key.n_tokens, depth) <
           seconds_behind(large.times, depth);
}

std::vector<TierPlan> take_dominated(std::vector<TierPlan>& tiers,
                                     std::optional<std::uint32_t> named) {
    std::vector<TierPlan> kept;
    std::vector<TierPlan> dominated;
    const auto stays = [&](const TierPlan& tier) {
        const std::uint32_t n_tokens = tier.key.n_tokens;
        if (n_tokens < kFirstPromptTier || n_tokens == named) return true;
        return named && n_tokens < *named && tier.winner() != nullptr;
    };
    for (TierPlan& tier : tiers) {
        const bool is_choice = !stays(tier);
        const bool goes = is_choice && std::ranges::any_of(kept, [&](const TierPlan& smaller) {
                              return dominates(smaller, tier);
                          });
        (goes ? dominated : kept).push_back(std::move(tier));
    }
    tiers = std::move(kept);
    return dominated;
}

}  // namespace pshard
