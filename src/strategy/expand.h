// What each strategy means: from the few words of a PlanChoice to a lane for every tensor.
//
// P: the pinned layers, the first n_pinned (the last ones with pin_from_back). [S11]
//
//   strategy                        layer in P   other layers                       their KV
//   GPUONLY_LAYERPIN_LAYERSTREAM    all GPU      all streamed                       streamed
//   GPUONLY_ATTNPIN_FFNSTREAM       all GPU      attention GPU, FFN streamed        GPU
//   DYNAMIC_FFNCPU_ATTNSTREAM       all GPU      attention streamed, FFN CPU        streamed
//   STATIC_ATTNPRIO_ALLMODELS       all GPU      first n_attn: attention GPU, FFN   GPU; CPU beyond
//                                                CPU; the others all CPU
//   STATIC_FITPARAMS...             all GPU      last n_attn: all but the routed    GPU; CPU before
//                                                experts GPU; the others all CPU
//
// STATIC_FITPARAMS pins as -ngl does: attention in the last n_attn_pinned layers, routed experts in
// the first n_pinned of those.
// token_embd is always on the CPU; the output head and norm are where output_on_gpu says.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "plan/choice.h"
#include "plan/placement.h"

namespace pshard {

Placement expand(const Inventory& inventory, const PlanChoice& choice);

// The same plan as the ordered patterns of a registry's `ot=` line: the first that is found in a
// weight's name decides. Made apart from expand; a test shows that they agree [A23].
struct LanePattern {
    std::string pattern;  // ECMAScript regex without commas and '='
    Lane lane = Lane::Gpu;

    bool operator==(const LanePattern&) const = default;
};

std::vector<LanePattern> lane_patterns(const Inventory& inventory, const PlanChoice& choice);

// True if the part of the boundary layer that Overflow leaves out holds the weight.
bool overflows(Overflow overflow, std::string_view weight_name);

}  // namespace pshard
