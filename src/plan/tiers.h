// Tells which batch sizes a variant is asked for. The plan of a batch is that of the smallest tier
// that holds it. [S9]
//
//   generation  one user: 1, 16      several: 1, 4, 16, 32, 64
//   drafting    what a pass checks: n_draft + 1, of one sequence and of all
//   prompts     512, 1024, ... below the cap, and the cap
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace pshard {

// The smallest tier that is for prompts alone: a program cuts them into ubatches, so that such a
// tier is a choice. Smaller batches come as they are, by the sequences and what they draft.
inline constexpr std::uint32_t kFirstPromptTier = 512;

// The next smaller ubatch that is compared with one of `n_ubatch` tokens: the power of two below
// it. 0: there is none of 16 tokens or more.
[[nodiscard]] std::uint32_t smaller_ubatch(std::uint32_t n_ubatch);

struct TierRule {
    std::uint32_t n_ctx = 0;  // tokens, above 0: no tier is larger
    std::uint32_t n_parallel = 1;
    std::uint32_t n_draft = 0;  // tokens drafted at most for a sequence; 0: nothing drafts
    std::optional<std::uint32_t> tier_max{};  // what the user asked for, above 0
};

// The largest tier: what was asked for, else 16384; never above n_ctx. It is the ubatch that the KV
// cache is sized for in all tiers of the variant.
[[nodiscard]] std::uint32_t tier_cap(const TierRule& rule);

// The tiers, ascending, each once; the last is tier_cap. A small cap cuts the generation tiers
// [A42].
[[nodiscard]] std::vector<std::uint32_t> tiers_of(const TierRule& rule);

}  // namespace pshard
