// What drafts tokens beside the model, and what that asks of the model's own context.
//
// A run that drafts checks up to n_max tokens and one more in a pass. It keeps a row of logits for
// each, and where the kind of drafting takes tokens back, the recurrent state after each.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "plan_flags/options.h"

namespace pshard::tool {

inline constexpr std::uint32_t kDefaultDrafted = 3;  // llama.cpp's --spec-draft-n-max

struct Drafting {
    std::uint32_t n_max = 0;     // most tokens that are drafted at a time; 0: nothing drafts
    std::uint32_t n_rs_seq = 0;  // recurrent states that are kept beside the newest one
    bool mtp = false;            // the context that drafts has the MTP layers

    bool operator==(const Drafting&) const = default;
};

// The kinds of drafting by llama.cpp's names: those of --spec-type and --mtp; -md alone is
// draft-simple. Empty: nothing drafts.
std::vector<std::string> kinds_of_drafting(const Options& options);

// Sets the kind that the draft model's file tells, where no flag names one.
void infer_kind_of_drafting(Options& options);

// Whether a model of that architecture drafts with parts of its target: embeddings, head, or cache.
bool drafts_with_target(const std::string& architecture);

// Whether the kind drafts several tokens in one pass, with a row of logits for each.
bool drafts_in_blocks(const Options& options);

Drafting drafting_of(const Options& options);

// Whether a context beside the model's drafts: a draft model's, or that of the MTP layers.
bool has_drafting_context(const Options& options);

// The flags of llama.cpp's that start what drafts, and the projector, with all of it on the GPU: a
// name and a value in turn.
std::vector<std::string> drafting_words(const Options& options);

}  // namespace pshard::tool
