// Tells where the parts of one layer lie. A strategy says it for each layer; the lane of each
// weight (expand) and the patterns of a registry (lane_patterns) both follow from it.
//
//   blk.7.attn_q   blk.7.ffn_norm   blk.7.ffn_up   blk.7.ffn_down   KV of layer 7
//   [------------- rest -----------][----------- apart ----------]  [--- rest ---]
#pragma once

#include <optional>
#include <string_view>

#include "inventory/inventory.h"
#include "plan/choice.h"
#include "plan/placement.h"

namespace pshard {

// A part of a layer, in two forms: for this planner, and for the published one.
struct LayerPart {
    bool (*holds)(const Weight&);  // asked of weights in layers only
    std::string_view pattern;      // the same as a regular expression, after "blk\.N\."
};

extern const LayerPart kFfnPart;      // the FFN, or the routed experts
extern const LayerPart kExpertsPart;  // the routed experts alone

struct LayerSplit {
    Lane rest = Lane::Gpu;  // of all but `part`, and of the layer's states
    Lane apart = Lane::Gpu;
    const LayerPart* part = nullptr;  // what lies in `apart`; nullptr: nothing

    Lane lane_of(const Weight& weight) const {
        return part != nullptr && part->holds(weight) ? apart : rest;
    }
};

constexpr LayerSplit whole_layer(Lane lane) { return {lane, lane, nullptr}; }

// A layer as a strategy sees it: its number, and how many layers there are.
struct LayerPlace {
    int layer = 0;
    int n_layers = 0;
};

// How many layers are pinned before this one: from the front, or with pin_from_back from the back.
int pin_rank(const PlanChoice& choice, const LayerPlace& at);

// The lanes of the layer with that rank, if it is pinned, or if it is the one more layer that has a
// part on the GPU: what the part leaves out goes to `left_out` [S12]. nullopt for all other layers.
std::optional<LayerSplit> pinned_lanes(const PlanChoice& choice, int rank, Lane left_out);

// Streamed layers take the two slots in turn.
constexpr Lane shard_of(int layer) { return layer % 2 == 0 ? Lane::ShardA : Lane::ShardB; }

}  // namespace pshard
