// A plan in the fewest words: which strategy, and how much of the model it keeps on the GPU.
// A Placement follows from them (src/strategy/expand.h). The names and numbers are the
// published ones [S11], [S13].
#pragma once

#include <optional>
#include <string_view>

namespace pshard {

// A strategy by its number in a registry. src/strategy/rules.h has a row for each; a strategy has a
// name here if the published planner knows it, or knew it, and other modules speak of it.
enum class Strategy : int {
    GpuOnlyLayerPinLayerStream = 0,
    GpuOnlyAttnPinFfnStream = 1,
    DynamicFfnCpuAttnStream = 2,
    StaticAttnPrio = 3,
    StaticFitParams = 4,
};

// The part of one more layer that still fits: the named part is on the GPU with the attention
// side, the rest of that layer goes where the strategy puts unpinned layers.
enum class Overflow {
    None,
    Attn,  // the attention side is on the GPU; up, gate and down are not
    Up,    // the attention side and up are
    Gate,  // the attention side, up and gate are; only down is not
    Moe,   // everything but the routed experts
};

std::string_view overflow_name(Overflow overflow);  // "NONE", "ATTN", "UP", "GATE", "MOE"
std::optional<Overflow> overflow_of(std::string_view name);

struct PlanChoice {
    Strategy strategy = Strategy::GpuOnlyLayerPinLayerStream;
    int n_pinned = 0;       // layers that are whole on the GPU
    int n_attn_pinned = 0;  // static strategies: layers whose attention side is on the GPU
    Overflow overflow = Overflow::None;
    bool output_on_gpu = false;
    bool pin_from_back = false;  // pinned layers are the last ones, as -ngl has them

    bool operator==(const PlanChoice&) const = default;
};

}  // namespace pshard
