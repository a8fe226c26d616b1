#include "inventory/tier_key.h"

#include <fmt/format.h>

#include <limits>

namespace pshard {
namespace {

std::uint32_t deepest(const TierKey& key) {
    return key.is_whole_context() ? std::numeric_limits<std::uint32_t>::max() : key.n_depth;
}

}  // namespace

bool TierKey::covers(const TierKey& wanted) const {
    return n_tokens >= wanted.n_tokens && deepest(*this) >= deepest(wanted);
}

std::strong_ordering TierKey::operator<=>(const TierKey& other) const {
    if (n_tokens != other.n_tokens) return n_tokens <=> other.n_tokens;
    return deepest(*this) <=> deepest(other);
}

std::string to_text(const TierKey& key) {
    if (key.is_whole_context()) return fmt::format("{}", key.n_tokens);
    return fmt::format("{}@{}", key.n_tokens, key.n_depth);
}

}  // namespace pshard
