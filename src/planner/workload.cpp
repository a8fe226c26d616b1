#include "planner/workload.h"

#include <algorithm>

#include <fmt/format.h>

#include "inventory/batch_sequences.h"

namespace pshard {
namespace {

constexpr std::uint32_t kShortestPrompt = 512;
constexpr std::uint32_t kLongestPrompt = 4096;

// Times closer than this share are as good as equal.
constexpr double kAsGood = 1.01;

// A ubatch that is slower by more than this share has less of something that smaller ones have even
// less of.
constexpr double kHardlySlower = 1.1;

// The tier whose plan such batches run by; nullptr: it has no time.
const PassTimes* tier_for(const std::vector<PassTimes>& tiers, double n_tokens) {
    const auto found = std::ranges::find_if(
        tiers, [&](const PassTimes& tier) { return tier.n_tokens >= n_tokens && tier.known(); });
    return found == tiers.end() ? nullptr : &*found;
}

// The points that three rates give, 0 where they are not predicted.
std::vector<PassPoint> points_of(const RegistryTier& tier, std::uint32_t full) {
    const PshardTier& pshard = tier.pshard;
    std::vector<PassPoint> points;
    const auto add = [&](std::uint32_t depth, double rate) {
        if (rate > 0) points.push_back({depth, tier.key.n_tokens / rate});
    };
    add(0, pshard.tps_empty.value_or(0));
    add(std::min(pshard.depth.value_or(0), full), chosen_tps(tier));
    add(full, pshard.tps_full.value_or(0));
    return refined(points, [](std::uint32_t) { return std::nullopt; });
}

// Whether the plans are of a model with recurrent layers, which a registry does not say: the last
// point of a tier fills the cache, from which the sequences follow that share its batch.
bool is_recurrent(const RegistryVariant& variant, const ContextSpec& context) {
    return std::ranges::any_of(variant.tiers, [&](const RegistryTier& tier) {
        if (!tier.pshard.passes || tier.pshard.passes->empty()) return false;
        const std::uint32_t n_tokens = tier.key.n_tokens;
        const auto full = [&](bool recurrent) {
            return full_depth(context, n_tokens, sequences_of_tier(context, n_tokens, recurrent));
        };
        return tier.pshard.passes->back().depth == full(true) && full(true) != full(false);
    });
}

}  // namespace

std::uint32_t usual_prompt(std::uint32_t n_ctx) {
    if (n_ctx == 0) return kShortestPrompt;
    return std::min(n_ctx, std::clamp(n_ctx / 2, kShortestPrompt, kLongestPrompt));
}

std::vector<PassTimes> times_of(const Planning& planning) {
    std::vector<PassTimes> times;
    for (const TierPlan& tier : planning.plan.tiers) times.push_back(tier.times);
    for (const StockRate& rate : planning.stock_rates) times.push_back(rate.times);
    return times;
}

std::vector<PassTimes> times_of(const RegistryVariant& variant, const ContextSpec& context) {
    std::vector<PassTimes> times;
    const bool recurrent = is_recurrent(variant, context);
    for (const RegistryTier& tier : variant.tiers) {
        const std::uint32_t n_tokens = tier.key.n_tokens;
        const std::uint32_t n_seqs = sequences_of_tier(context, n_tokens, recurrent);
        const std::uint32_t full = full_depth(context, n_tokens, n_seqs);
        times.push_back(
            {n_tokens, n_seqs, tier.pshard.passes ? *tier.pshard.passes : points_of(tier, full)});
    }
    return times;
}

std::uint32_t best_ubatch(const std::vector<PassTimes>& tiers, const Workload& work) {
    Workload prompts = work;
    prompts.answer = 0;
    const std::vector<UbatchTime> times = ubatch_times(tiers, prompts);
    const auto best = std::ranges::min_element(times, {}, &UbatchTime::seconds);
    return best == times.end() ? 0 : best->n_ubatch;
}

std::optional<Seconds> planned_seconds(const std::vector<PassTimes>& tiers,
                                       const Workload& work,
                                       std::uint32_t n_ubatch) {
    const double prompts = double(work.prompt) * work.sequences;
    const PassTimes* prompt = tier_for(tiers, std::min<double>(prompts, n_ubatch));
    const PassTimes* token = tier_for(tiers, work.sequences);
    if (prompt == nullptr || token == nullptr || prompt->n_tokens > n_ubatch) return std::nullopt;
    return prompt_seconds(*prompt, prompts, work.depth) +
           work.answer * seconds_behind(*token, work.depth);
}

bool may_pay_below(Seconds seconds, BoundBy prompt_bound_by, Seconds fastest) {
    const bool on_cpu = prompt_bound_by == BoundBy::CpuCompute ||
                        prompt_bound_by == BoundBy::CpuMemory ||
                        prompt_bound_by == BoundBy::CpuLaunch;
    return on_cpu || seconds <= fastest * kHardlySlower;
}

std::string seconds_text(Seconds seconds) {
    return seconds < 999.5 ? fmt::format("{:.3g} s", seconds) : fmt::format("{:.0f} s", seconds);
}

std::vector<UbatchTime> ubatch_times(const std::vector<PassTimes>& tiers, const Workload& work) {
    std::vector<UbatchTime> times;
    for (const PassTimes& tier : tiers) {
        const auto seconds = planned_seconds(tiers, work, tier.n_tokens);
        if (seconds) times.push_back({tier.n_tokens, *seconds});
    }
    return times;
}

std::optional<std::string> slow_ubatch_note(const std::vector<UbatchTime>& times,
                                            const Workload& work,
                                            std::uint32_t named) {
    const auto own = std::ranges::find(times, named, &UbatchTime::n_ubatch);
    if (own == times.end()) return std::nullopt;
    const auto best = std::ranges::min_element(times, {}, &UbatchTime::seconds);
    if (own->seconds <= best->seconds * kAsGood) return std::nullopt;
    return fmt::format(
        "-ub {} is slower than -ub {}: {} prompt and {} answer tokens take {}, there {}",
        named,
        best->n_ubatch,
        work.prompt,
        work.answer,
        seconds_text(own->seconds),
        seconds_text(best->seconds));
}

}  // namespace pshard
