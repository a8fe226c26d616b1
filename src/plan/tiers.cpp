#include "plan/tiers.h"

#include <algorithm>
#include <bit>
#include <set>

namespace pshard {
namespace {

constexpr std::uint32_t kDefaultCap = 16384;
constexpr std::uint32_t kLeastUbatch = 16;

std::set<std::uint64_t> generation_tiers(const TierRule& rule) {
    std::set<std::uint64_t> tiers = {1, 16};
    if (rule.n_parallel > 1) tiers.insert({4, 32, 64});
    if (rule.n_draft == 0) return tiers;
    const std::uint64_t checked = rule.n_draft + std::uint64_t{1};
    tiers.insert({checked, checked * rule.n_parallel});
    return tiers;
}

}  // namespace

std::uint32_t smaller_ubatch(std::uint32_t n_ubatch) {
    return n_ubatch <= kLeastUbatch ? 0 : std::bit_floor(n_ubatch - 1);
}

std::uint32_t tier_cap(const TierRule& rule) {
    return std::min(rule.tier_max.value_or(kDefaultCap), rule.n_ctx);
}

std::vector<std::uint32_t> tiers_of(const TierRule& rule) {
    const std::uint64_t cap = tier_cap(rule);
    std::set<std::uint64_t> tiers = generation_tiers(rule);
    for (std::uint64_t tier = kFirstPromptTier; tier < cap; tier *= 2) tiers.insert(tier);
    tiers.erase(tiers.lower_bound(cap), tiers.end());
    tiers.insert(cap);
    return {tiers.begin(), tiers.end()};
}

}  // namespace pshard
