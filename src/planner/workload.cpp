#include "planner/workload.h"

#include <algorithm>

namespace pshard {
namespace {

constexpr std::uint32_t kShortestPrompt = 512;
constexpr std::uint32_t kLongestPrompt = 4096;

// Seconds of a prompt in the tier; a prompt that is shorter than a batch takes a whole batch.
Seconds prompt_seconds(const TierPass& tier, std::uint32_t prompt) {
    return std::max(1.0, double(prompt) / tier.n_tokens) * tier.seconds;
}

}  // namespace

std::uint32_t usual_prompt(std::uint32_t n_ctx) {
    if (n_ctx == 0) return kShortestPrompt;
    return std::min(n_ctx, std::clamp(n_ctx / 2, kShortestPrompt, kLongestPrompt));
}

std::vector<TierPass> passes_of(const Planning& planning) {
    std::vector<TierPass> passes;
    for (const TierPlan& tier : planning.plan.tiers) {
        const Candidate* winner = tier.winner();
        const bool priced = winner != nullptr && winner->prediction;
        passes.push_back({tier.key.n_tokens, priced ? winner->prediction->pass_seconds : 0});
    }
    return passes;
}

std::uint32_t best_ubatch(const std::vector<TierPass>& tiers, std::uint32_t prompt) {
    const TierPass* best = nullptr;
    for (const TierPass& tier : tiers) {
        if (tier.seconds <= 0 || tier.n_tokens == 0) continue;
        if (best == nullptr || prompt_seconds(tier, prompt) < prompt_seconds(*best, prompt)) {
            best = &tier;
        }
    }
    return best == nullptr ? 0 : best->n_tokens;
}

std::optional<Seconds> planned_seconds(const std::vector<TierPass>& tiers,
                                       const Workload& work,
                                       std::uint32_t n_ubatch) {
    std::optional<Seconds> prompt;
    std::optional<Seconds> token;
    for (const TierPass& tier : tiers) {
        if (tier.seconds <= 0) continue;
        if (!token && tier.n_tokens >= work.sequences) token = tier.seconds;
        if (tier.n_tokens == n_ubatch) prompt = prompt_seconds(tier, work.prompt);
    }
    if (!prompt || !token) return std::nullopt;
    return work.sequences * *prompt + work.answer * *token;
}

}  // namespace pshard
