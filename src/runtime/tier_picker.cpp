// Chooses a tier: a rent-or-buy problem. In: the tokens of the next batch, and the tier
// whose plan lies in the arena. Out: the tier to run in.
//
// A batch belongs to the first tier that covers it. If the arena holds a larger tier's plan, that
// one can run the batch too, but may upload more in each pass than the batch's own tier would. To
// stay is to pay this difference again and again (rent); to go is to pay for the switch there and,
// when the next prompt comes, back (buy). We stay until the rent adds up to the price, then go: the
// sum is then at most twice what the best choice would have paid that had known the future.
//
//   tiers 1 and 512, a switch there and back = 250 MiB, tier 512 streams 100 MiB more
//   batches     512   1    1    1    1    512
//   rent paid         100  200  300
//   runs in     512   512  512  1    1    512
//
// A batch that is too large for the tier in the arena goes at once: its plan would not fit. So does
// one whose own tier streams as much or more, as staying would save nothing later.
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
