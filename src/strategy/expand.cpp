#include "strategy/expand.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "inventory/weight_class.h"

namespace pshard {
namespace {

constexpr std::string_view kFfnPattern =
    R"(ffn_((up|gate|down)\.|(up|down|gate|gate_up)_(ch|)exps).*)";

// What a layer is to a strategy.
enum class LayerRole {
    Pinned,    // whole on the GPU
    Boundary,  // the one that overflows
    Attn,      // attention side on the GPU
    Other,
};

struct LayerLanes {
    Lane attention = Lane::Gpu;
    Lane ffn = Lane::Gpu;
};

Lane shard_of(int layer) { return layer % 2 == 0 ? Lane::ShardA : Lane::ShardB; }

// Layers in the order in which they are pinned: 0, 1, ... or from the back.
int rank_of(const Inventory& inventory, const PlanChoice& choice, int layer) {
    return choice.pin_from_back ? inventory.n_layers - 1 - layer : layer;
}

LayerRole fit_role(const Inventory& inventory, const PlanChoice& choice, int layer) {
    const int rank = layer - (inventory.n_layers - choice.n_attn_pinned);
    if (rank < 0) return LayerRole::Other;
    if (rank < choice.n_pinned) return LayerRole::Pinned;
    const bool boundary = rank == choice.n_pinned && choice.overflow != Overflow::None;
    return boundary ? LayerRole::Boundary : LayerRole::Attn;
}

LayerRole role_of(const Inventory& inventory, const PlanChoice& choice, int layer) {
    if (choice.strategy == Strategy::StaticFitParams) return fit_role(inventory, choice, layer);
    const int rank = rank_of(inventory, choice, layer);
    if (rank < choice.n_pinned) return LayerRole::Pinned;
    if (rank == choice.n_pinned && choice.overflow != Overflow::None) return LayerRole::Boundary;
    const bool attn = choice.strategy == Strategy::StaticAttnPrio && rank < choice.n_attn_pinned;
    return attn ? LayerRole::Attn : LayerRole::Other;
}

// Lanes of a layer that is neither pinned nor the boundary.
LayerLanes unpinned_lanes(Strategy strategy, LayerRole role, int layer) {
    switch (strategy) {
        case Strategy::GpuOnlyLayerPinLayerStream:
            return {shard_of(layer), shard_of(layer)};
        case Strategy::GpuOnlyAttnPinFfnStream:
            return {Lane::Gpu, Lane::ShardA};
        case Strategy::DynamicFfnCpuAttnStream:
            return {Lane::ShardA, Lane::Cpu};
        case Strategy::StaticAttnPrio:
        case Strategy::StaticFitParams:
            break;
    }
    return {role == LayerRole::Attn ? Lane::Gpu : Lane::Cpu, Lane::Cpu};
}

// Where the part of the boundary layer goes that does not fit [S12].
Lane overflow_lane(Strategy strategy, int layer) {
    return is_static(strategy) ? Lane::Cpu : shard_of(layer);
}

Lane layer_weight_lane(const Inventory& inventory, const PlanChoice& choice, const Weight& weight) {
    const LayerRole role = role_of(inventory, choice, weight.layer);
    if (role == LayerRole::Pinned) return Lane::Gpu;
    if (role == LayerRole::Boundary) {
        return overflows(choice.overflow, weight.name)
                   ? overflow_lane(choice.strategy, weight.layer)
                   : Lane::Gpu;
    }
    // Stock keeps dense FFNs of a layer with its attention, and shared experts too.
    const bool dense_fit = choice.strategy == Strategy::StaticFitParams && !weight.routed;
    const LayerLanes lanes = unpinned_lanes(choice.strategy, role, weight.layer);
    return weight.side == Side::Ffn && !dense_fit ? lanes.ffn : lanes.attention;
}

// Tensors that belong to no layer and are not the head are tiny tables that llama.cpp keeps with
// the layers (rope factors): on the GPU where any layer is.
Lane global_weight_lane(const PlanChoice& choice, const Weight& weight) {
    if (weight.side == Side::Input) return Lane::Cpu;
    const bool head = weight.name.starts_with("output");
    const bool any_layer = !is_static(choice.strategy) || choice.n_attn_pinned > 0;
    return (head ? choice.output_on_gpu : any_layer) ? Lane::Gpu : Lane::Cpu;
}

Lane state_lane(const Inventory& inventory, const PlanChoice& choice, int layer) {
    if (layer < 0) return Lane::Gpu;
    const LayerRole role = role_of(inventory, choice, layer);
    if (role == LayerRole::Pinned || role == LayerRole::Boundary) return Lane::Gpu;
    return unpinned_lanes(choice.strategy, role, layer).attention;
}

std::string_view overflow_pattern(Overflow overflow) {
    switch (overflow) {
        case Overflow::Attn:
            return "ffn_(up|gate|down).*";
        case Overflow::Up:
            return "ffn_(gate|down).*";
        case Overflow::Gate:
            return "ffn_down.*";
        case Overflow::Moe:
            return "ffn_(up|down|gate|gate_up)_(ch|)exps";
        case Overflow::None:
            break;
    }
    return "";
}

void add_layer_patterns(const Inventory& inventory,
                        const PlanChoice& choice,
                        int layer,
                        std::vector<LanePattern>& patterns) {
    const std::string prefix = fmt::format(R"(blk\.{}\.)", layer);
    const LayerRole role = role_of(inventory, choice, layer);
    LayerLanes lanes;
    std::string_view apart = kFfnPattern;
    if (role == LayerRole::Boundary) {
        lanes.ffn = overflow_lane(choice.strategy, layer);
        apart = overflow_pattern(choice.overflow);
    } else if (role != LayerRole::Pinned) {
        lanes = unpinned_lanes(choice.strategy, role, layer);
        if (choice.strategy == Strategy::StaticFitParams) apart = overflow_pattern(Overflow::Moe);
    }
    if (lanes.ffn != lanes.attention) patterns.push_back({prefix + std::string(apart), lanes.ffn});
    patterns.push_back({prefix + ".*", lanes.attention});
}

}  // namespace

bool overflows(Overflow overflow, std::string_view weight_name) {
    const std::size_t at = weight_name.find(".ffn_");
    if (at == std::string_view::npos) return false;
    const std::string_view part = weight_name.substr(at + 5);
    const bool down = part.starts_with("down");
    const bool gate = part.starts_with("gate");
    switch (overflow) {
        case Overflow::Attn:
            return down || gate || part.starts_with("up");
        case Overflow::Up:
            return down || gate;
        case Overflow::Gate:
            return down;
        case Overflow::Moe:
            return classify_weight(weight_name).routed;
        case Overflow::None:
            break;
    }
    return false;
}

Placement expand(const Inventory& inventory, const PlanChoice& choice) {
    Placement placement;
    placement.weights.reserve(inventory.weights.size());
    for (const Weight& weight : inventory.weights) {
        const bool in_layer = weight.layer >= 0 && weight.side != Side::Input;
        placement.weights.push_back(in_layer ? layer_weight_lane(inventory, choice, weight)
                                             : global_weight_lane(choice, weight));
    }
    placement.states.reserve(inventory.states.size());
    for (const State& state : inventory.states) {
        placement.states.push_back(state_lane(inventory, choice, state.layer));
    }
    return placement;
}

std::vector<LanePattern> lane_patterns(const Inventory& inventory, const PlanChoice& choice) {
    std::vector<LanePattern> patterns;
    patterns.push_back({"^output", choice.output_on_gpu ? Lane::Gpu : Lane::Cpu});
    patterns.push_back({"^token_embd", Lane::Cpu});
    for (int layer = 0; layer < inventory.n_layers; ++layer) {
        add_layer_patterns(inventory, choice, layer, patterns);
    }
    return patterns;
}

}  // namespace pshard
