// What the machine-readable forms share.
#pragma once

#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "inventory/tier_key.h"

namespace pshard {

using Json = nlohmann::ordered_json;

// {"tokens": 512}; a tier for part of the context has {"tokens": 512, "n_depth": 4096}.
inline Json key_json(const TierKey& key) {
    Json json = {{"tokens", key.n_tokens}};
    if (!key.is_whole_context()) json["n_depth"] = key.n_depth;
    return json;
}

template <typename T>
Json or_null(const std::optional<T>& value) {
    return value ? Json(*value) : Json(nullptr);
}

// The document as text. Names in a model file may be any bytes: what is no UTF-8 is replaced.
inline std::string dump(const Json& json, int indent) {
    return json.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace pshard
