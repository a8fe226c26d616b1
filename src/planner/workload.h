// The request that plans are weighed by: tokens read, tokens written, sequences at once.
//
// A tier has a plan of its own, so prompts and answers weigh against each other only where one
// placement serves both: in stock llama.cpp. Its static plans are ranked by a workload, and the
// plan of PSHARD0 is held against the best of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "planner/planning.h"

namespace pshard {

struct Workload {
    std::uint32_t prompt = 512;   // tokens, of each sequence
    std::uint32_t answer = 128;   // tokens, of each sequence
    std::uint32_t sequences = 1;  // all have such a prompt

    bool operator==(const Workload&) const = default;
};

// Tokens of a prompt where nobody says what a run is for: half a sequence, 512 to 4096 tokens, and
// no more than `n_ctx`, the tokens that a sequence holds (0: not known).
std::uint32_t usual_prompt(std::uint32_t n_ctx);

// The time of a batch by the plan of its tier.
struct TierPass {
    std::uint32_t n_tokens = 0;
    Seconds seconds = 0;  // 0: not predicted
};

std::vector<TierPass> passes_of(const Planning& planning);

// The tokens of the tier that finishes a prompt first: larger batches are not always faster. 0: no
// tier has a time.
std::uint32_t best_ubatch(const std::vector<TierPass>& tiers, std::uint32_t prompt);

// The seconds of the workload by the plans of the tiers: the prompts of all sequences in batches of
// `n_ubatch`, as llama.cpp fills them, the answers token by token for all sequences at once.
// nullopt: not predicted.
std::optional<Seconds> planned_seconds(const std::vector<TierPass>& tiers,
                                       const Workload& work,
                                       std::uint32_t n_ubatch);

// Tells that smaller batches than `n_ubatch`, one after the other, are faster; nullopt: none are.
std::optional<std::string> slow_ubatch_note(const std::vector<TierPass>& tiers,
                                            std::uint32_t n_ubatch);

}  // namespace pshard
