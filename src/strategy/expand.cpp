#include "strategy/expand.h"

#include <fmt/format.h>

#include "strategy/rules.h"

namespace pshard {
namespace {

// The lanes of a layer; those of the last layer are kept, since weights and states mostly ask layer
// by layer.
class SplitsOfLayers {
public:
    SplitsOfLayers(const Inventory& inventory, const PlanChoice& choice)
        : choice_(choice), rule_(rule_of(choice.strategy)), at_{-1, inventory.n_layers} {}

    const LayerSplit& of(int layer) {
        if (layer != at_.layer) {
            at_.layer = layer;
            lanes_ = rule_.lanes(choice_, at_);
        }
        return lanes_;
    }

private:
    const PlanChoice& choice_;
    const StrategyRule& rule_;
    LayerPlace at_;
    LayerSplit lanes_;
};

// The lane of a weight that belongs to no layer. What is neither the embeddings nor the head is a
// tiny table that llama.cpp keeps with the layers (rope factors): on the GPU if any layer is.
Lane global_weight_lane(const PlanChoice& choice, const Weight& weight) {
    if (weight.side == Side::Input) return Lane::Cpu;
    const bool head = weight.name.starts_with("output");
    const bool any_layer = !rule_of(choice.strategy).is_static || choice.n_attn_pinned > 0;
    return (head ? choice.output_on_gpu : any_layer) ? Lane::Gpu : Lane::Cpu;
}

}  // namespace

Placement expand(const Inventory& inventory, const PlanChoice& choice) {
    SplitsOfLayers lanes(inventory, choice);
    Placement placement;
    placement.weights.reserve(inventory.weights.size());
    for (const Weight& weight : inventory.weights) {
        const bool in_layer = weight.layer >= 0 && weight.side != Side::Input;
        placement.weights.push_back(in_layer ? lanes.of(weight.layer).lane_of(weight)
                                             : global_weight_lane(choice, weight));
    }
    placement.states.reserve(inventory.states.size());
    for (const State& state : inventory.states) {
        placement.states.push_back(state.layer < 0 ? Lane::Gpu : lanes.of(state.layer).rest);
    }
    return placement;
}

std::vector<LanePattern> lane_patterns(const Inventory& inventory, const PlanChoice& choice) {
    SplitsOfLayers lanes(inventory, choice);
    std::vector<LanePattern> patterns;
    patterns.push_back({"^output", choice.output_on_gpu ? Lane::Gpu : Lane::Cpu});
    patterns.push_back({"^token_embd", Lane::Cpu});
    for (int layer = 0; layer < inventory.n_layers; ++layer) {
        const LayerSplit& of_layer = lanes.of(layer);
        const std::string prefix = fmt::format(R"(blk\.{}\.)", layer);
        if (of_layer.apart != of_layer.rest) {
            patterns.push_back({prefix + std::string(of_layer.part->pattern), of_layer.apart});
        }
        patterns.push_back({prefix + ".*", of_layer.rest});
    }
    return patterns;
}

}  // namespace pshard
