#include "plan/tiers.h"

#include <algorithm>

namespace pshard {
namespace {

constexpr std::uint32_t kDefaultCap = 16384;
constexpr std::uint32_t kFirstPromptTier = 512;

std::vector<std::uint32_t> generation_tiers(std::uint32_t n_parallel) {
    if (n_parallel <= 1) return {1, 16};
    return {1, 4, 16, 32, 64};
}

}  // namespace

std::uint32_t tier_cap(const TierRule& rule) {
    return std::min(rule.tier_max.value_or(std::max(rule.n_batch, kDefaultCap)), rule.n_ctx);
}

std::vector<std::uint32_t> tiers_of(const TierRule& rule) {
    const std::uint64_t cap = tier_cap(rule);
    std::vector<std::uint32_t> tiers;
    for (const std::uint32_t tier : generation_tiers(rule.n_parallel)) {
        if (tier < cap) tiers.push_back(tier);
    }
    for (std::uint64_t tier = kFirstPromptTier; tier < cap; tier *= 2) {
        tiers.push_back(static_cast<std::uint32_t>(tier));
    }
    tiers.push_back(static_cast<std::uint32_t>(cap));
    return tiers;
}

}  // namespace pshard
