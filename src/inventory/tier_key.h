// What a tier is known by: the batches and the part of the context that its plan is for.
//
// Nothing asks for a tier by a bare number of tokens. A field that is added here therefore tells
// tiers apart everywhere: the search plans each, the arena holds each, reports and traces name
// each.
//
//   n_tokens   the largest batch that the plan is for
//   n_depth    the most tokens in the KV cache that it is for; 0: the whole context
//
// Keys ascend by tokens, then by depth; the whole context is the deepest. The text of a key for the
// whole context is the bare number of tokens, as files and messages without depths have it.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace pshard {

struct TierKey {
    std::uint32_t n_tokens = 0;
    std::uint32_t n_depth = 0;

    [[nodiscard]] bool is_whole_context() const { return n_depth == 0; }

    // Whether a plan of this tier may compute what `wanted` asks for.
    [[nodiscard]] bool covers(const TierKey& wanted) const;

    std::strong_ordering operator<=>(const TierKey& other) const;
    bool operator==(const TierKey&) const = default;
};

// "512"; with a depth "512@4096".
std::string to_text(const TierKey& key);

}  // namespace pshard
