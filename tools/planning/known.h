// What one run of a tool has asked and found of its model, so that nothing is asked or searched
// twice.
#pragma once

#include <memory>

#include "planning/model_source.h"
#include "search/tier_memo.h"

namespace pshard::tool {

struct Known {
    Captures captures;
    std::shared_ptr<PackingMemo> packed = std::make_shared<PackingMemo>();
    std::shared_ptr<TierMemo> tiers = std::make_shared<TierMemo>();
};

}  // namespace pshard::tool
