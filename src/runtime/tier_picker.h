// Which tier's plan a batch runs by: at most twice what the best choice would have cost. Everything
// is counted in bytes over the link, which both waiting and going to another plan move.
#pragma once

#include <vector>

#include "base/units.h"
#include "inventory/tier_key.h"

namespace pshard {

// What the choice depends on; tiers in the order of their keys.
struct TierTraffic {
    std::vector<TierKey> tiers;
    std::vector<Bytes> streamed;            // uploads of one pass, by tier
    std::vector<std::vector<Bytes>> moves;  // [from][to]: bytes of a plan switch
};

class TierPicker {
public:
    explicit TierPicker(TierTraffic traffic);

    // The tier that a pass of `wanted` tokens at such a depth runs in; `now`: the tier whose plan
    // lies in the arena. A pass that no tier covers gets the last.
    std::size_t next(const TierKey& wanted, std::size_t now);

private:
    TierTraffic traffic_;
    Bytes waited_ = 0;  // uploaded too much since the last batch that belongs to its tier
};

}  // namespace pshard
