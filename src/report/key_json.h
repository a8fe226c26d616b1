// How the machine-readable forms name a tier.
#pragma once

#include <nlohmann/json.hpp>

#include "inventory/tier_key.h"

namespace pshard {

// {"tokens": 512}; a tier for part of the context has {"tokens": 512, "n_depth": 4096}.
inline nlohmann::ordered_json key_json(const TierKey& key) {
    nlohmann::ordered_json json = {{"tokens", key.n_tokens}};
    if (!key.is_whole_context()) json["n_depth"] = key.n_depth;
    return json;
}

}  // namespace pshard
