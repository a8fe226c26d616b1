#include "strategy/expand.h"

#include <fmt/format.h>

#include "strategy/rules.h"

namespace pshard {
namespace {

// The lanes that a choice gives; those of the last layer are kept, since weights and states mostly
// ask layer by layer.
class Lanes {
public:
    Lanes(const Inventory& inventory, const PlanChoice& choice)
        : choice_(choice), rule_(rule_of(choice.strategy)), at_{-1, inventory.n_layers} {}

    const LayerSplit& of_layer(int layer) {
        if (layer != at_.layer) {
            at_.layer = layer;
            lanes_ = rule_.lanes(choice_, at_);
        }
        return lanes_;
    }

    Lane of(const Weight& weight) {
        return weight.layer >= 0 ? of_layer(weight.layer).lane_of(weight) : of_no_layer(weight);
    }

private:
    // What is neither the embeddings nor the head is a tiny table that llama.cpp keeps with the
    // layers (rope factors): on the GPU if any layer is.
    Lane of_no_layer(const Weight& weight) const {
        const bool head = weight.name.starts_with("output");
        const bool any_layer = !rule_.is_static || choice_.n_attn_pinned > 0;
        return (head ? choice_.output_on_gpu : any_layer) ? Lane::Gpu : Lane::Cpu;
    }

    const PlanChoice& choice_;
    const StrategyRule& rule_;
    LayerPlace at_;
    LayerSplit lanes_;
};

// Whether the weight stays with the CPU wherever its layer goes: the device cannot compute with it,
// or stock llama.cpp loads it to host memory.
bool stays(const Inventory& inventory, const std::vector<bool>& idle, std::size_t weight) {
    const bool is_idle = !idle.empty() && idle[weight];
    return is_idle || inventory.weights[weight].side == Side::Input;
}

std::string escaped(std::string_view name) {
    std::string pattern;
    for (const char c : name) pattern += c == '.' ? std::string("\\.") : std::string(1, c);
    return pattern;
}

}  // namespace

Placement expand(const GraphView& view, const PlanChoice& choice) {
    return expand(view.inventory, choice, idle_tensors(view.inventory, view.graph));
}

Placement expand(const Inventory& inventory, const PlanChoice& choice, const Idle& idle) {
    Lanes lanes(inventory, choice);
    Placement placement;
    placement.weights.reserve(inventory.weights.size());
    for (std::size_t i = 0; i < inventory.weights.size(); ++i) {
        const Lane lane = lanes.of(inventory.weights[i]);
        placement.weights.push_back(stays(inventory, idle.weights, i) ? Lane::Cpu : lane);
    }
    placement.states.reserve(inventory.states.size());
    for (std::size_t i = 0; i < inventory.states.size(); ++i) {
        const int layer = inventory.states[i].layer;
        const Lane lane = layer < 0 ? Lane::Gpu : lanes.of_layer(layer).rest;
        const bool is_idle = !idle.states.empty() && idle.states[i];
        placement.states.push_back(is_idle ? Lane::Cpu : lane);
    }
    return placement;
}

std::vector<LanePattern> lane_patterns(const Inventory& inventory,
                                       const PlanChoice& choice,
                                       const std::vector<bool>& idle) {
    Lanes lanes(inventory, choice);
    std::vector<LanePattern> patterns;
    for (std::size_t i = 0; i < inventory.weights.size(); ++i) {
        const Weight& weight = inventory.weights[i];
        const bool token_embd = weight.name.starts_with("token_embd");
        const bool against = stays(inventory, idle, i) && lanes.of(weight) != Lane::Cpu;
        if (token_embd || !against) continue;
        patterns.push_back({fmt::format("^{}$", escaped(weight.name)), Lane::Cpu});
    }
    patterns.push_back({"^output", choice.output_on_gpu ? Lane::Gpu : Lane::Cpu});
    patterns.push_back({"^token_embd", Lane::Cpu});
    for (int layer = 0; layer < inventory.n_layers; ++layer) {
        const LayerSplit& split = lanes.of_layer(layer);
        const std::string prefix = fmt::format(R"(blk\.{}\.)", layer);
        if (split.apart != split.rest) {
            patterns.push_back({prefix + std::string(split.part->pattern), split.apart});
        }
        patterns.push_back({prefix + ".*", split.rest});
    }
    return patterns;
}

}  // namespace pshard
