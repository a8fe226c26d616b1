// A plan in the fewest words: which strategy, and how much of the model it keeps on the GPU.
// These are the published names and numbers [S11], [S13]; a Placement follows from them.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace pshard {

enum class Strategy {
    GpuOnlyLayerPinLayerStream,  // 0: whole layers pinned, the others streamed to the GPU
    GpuOnlyAttnPinFfnStream,     // 1: all attention pinned, FFNs of unpinned layers streamed
    DynamicFfnCpuAttnStream,     // 2: unpinned layers: attention streamed, FFN on the CPU
    StaticAttnPrio,              // 3: nothing moves: attention first, then whole layers
    StaticFitParams,             // 4: what llama.cpp's --fit would place
};

inline constexpr std::array kAllStrategies = {Strategy::GpuOnlyLayerPinLayerStream,
                                              Strategy::GpuOnlyAttnPinFfnStream,
                                              Strategy::DynamicFfnCpuAttnStream,
                                              Strategy::StaticAttnPrio,
                                              Strategy::StaticFitParams};

// "GPUONLY_LAYERPIN_LAYERSTREAM", "STATIC_ATTNPRIO_ALLMODELS", ...
std::string_view strategy_name(Strategy strategy);

// 0 to 3 as in the newer published planner; STATIC_FITPARAMS, which it dropped, is 4.
int strategy_id(Strategy strategy);

// True for the strategies that move nothing while a graph runs.
constexpr bool is_static(Strategy strategy) {
    return strategy == Strategy::StaticAttnPrio || strategy == Strategy::StaticFitParams;
}

// By name or by id in decimal; nullopt for anything else.
std::optional<Strategy> strategy_of(std::string_view name_or_id);

// The part of one more layer that still fits: the named part is on the GPU with the attention
// side, the rest of that layer goes where the strategy puts unpinned layers.
enum class Overflow {
    None,
    Attn,  // attention side on the GPU; up, gate and down are not
    Up,    // and up
    Gate,  // and up and gate; only down is not
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

// The whole model on the GPU. Stock llama.cpp has it by -ngl all, which STATIC_FITPARAMS stands
// for.
PlanChoice everything_resident(int n_layers, Strategy strategy = Strategy::StaticFitParams);

}  // namespace pshard
