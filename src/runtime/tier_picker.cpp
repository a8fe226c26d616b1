#include "runtime/tier_picker.h"

#include <algorithm>
#include <utility>

namespace pshard {

TierPicker::TierPicker(TierTraffic traffic) : traffic_(std::move(traffic)) {}

std::size_t TierPicker::next(const TierKey& wanted, std::size_t now) {
    const std::vector<TierKey>& tiers = traffic_.tiers;
    const auto found = std::find_if(
        tiers.begin(), std::prev(tiers.end()), [&](const TierKey& t) { return t.covers(wanted); });
    const auto own = static_cast<std::size_t>(found - tiers.begin());
    const bool may_stay = now > own && traffic_.streamed[now] > traffic_.streamed[own];
    if (may_stay) {
        waited_ += traffic_.streamed[now] - traffic_.streamed[own];
        if (waited_ < traffic_.moves[now][own] + traffic_.moves[own][now]) return now;
    }
    waited_ = 0;
    return own;
}

}  // namespace pshard
