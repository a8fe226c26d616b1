// How many sequences share the tokens of a batch that a tier is planned for.
#pragma once

#include <algorithm>

#include "inventory/context_spec.h"

namespace pshard {

// It must divide the tokens, since llama.cpp would round them up otherwise.
//
// The scratch of that graph holds any batch of the tier. The values of attention grow with the
// tokens; masks and scores grow with tokens * cells of one stream, however many streams share the
// tokens. Only recurrent layers gather a state for each sequence, so a graph that has them keeps
// all sequences.
[[nodiscard]] inline std::uint32_t sequences_of_tier(const ContextSpec& context,
                                                     std::uint32_t n_tokens,
                                                     bool recurrent) {
    std::uint32_t n_seqs = std::min(std::max(context.n_seq_max, 1U), n_tokens);
    while (!recurrent && n_tokens % n_seqs != 0) --n_seqs;
    return n_seqs;
}

}  // namespace pshard
