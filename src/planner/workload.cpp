#include "planner/workload.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/counted.h"

namespace pshard {
namespace {

constexpr std::uint32_t kShortestPrompt = 512;
constexpr std::uint32_t kLongestPrompt = 4096;

// Seconds of a prompt in the tier; a prompt that is shorter than a batch takes a whole batch.
Seconds prompt_seconds(const TierPass& tier, double prompt) {
    return std::max(1.0, prompt / tier.n_tokens) * tier.seconds;
}

// The tier whose plan such batches run by; nullptr: it has no time.
const TierPass* tier_for(const std::vector<TierPass>& tiers, double n_tokens) {
    const auto found = std::ranges::find_if(
        tiers, [&](const TierPass& tier) { return tier.n_tokens >= n_tokens && tier.seconds > 0; });
    return found == tiers.end() ? nullptr : &*found;
}

double rate_of(const TierPass& tier) { return tier.seconds > 0 ? tier.n_tokens / tier.seconds : 0; }

}  // namespace

std::uint32_t usual_prompt(std::uint32_t n_ctx) {
    if (n_ctx == 0) return kShortestPrompt;
    return std::min(n_ctx, std::clamp(n_ctx / 2, kShortestPrompt, kLongestPrompt));
}

std::vector<TierPass> passes_of(const Planning& planning) {
    std::vector<TierPass> passes;
    const auto add = [&](const TierKey& tier, const Candidate* plan) {
        const bool priced = plan != nullptr && plan->prediction;
        passes.push_back({tier.n_tokens, priced ? plan->prediction->pass_seconds : 0});
    };
    for (const TierPlan& tier : planning.plan.tiers) add(tier.key, tier.winner());
    for (const StockRate& rate : planning.stock_rates) add(rate.tier, &rate.resident);
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
    const double prompts = double(work.prompt) * work.sequences;
    const TierPass* prompt = tier_for(tiers, std::min<double>(prompts, n_ubatch));
    const TierPass* token = tier_for(tiers, work.sequences);
    if (prompt == nullptr || token == nullptr || prompt->n_tokens > n_ubatch) return std::nullopt;
    return prompt_seconds(*prompt, prompts) + work.answer * token->seconds;
}

std::optional<std::string> slow_ubatch_note(const std::vector<TierPass>& tiers,
                                            std::uint32_t n_ubatch) {
    const auto own = std::ranges::find(tiers, n_ubatch, &TierPass::n_tokens);
    if (own == tiers.end() || own->seconds <= 0) return std::nullopt;
    const auto best = std::max_element(
        tiers.begin(), own, [](const auto& a, const auto& b) { return rate_of(a) < rate_of(b); });
    if (best == own || rate_of(*best) <= rate_of(*own)) return std::nullopt;
    return fmt::format(
        "-ub {} is slower than smaller batches one after the other: {} t/s, where -ub {} has {}",
        n_ubatch,
        rate_text(rate_of(*own)),
        best->n_tokens,
        rate_text(rate_of(*best)));
}

}  // namespace pshard
