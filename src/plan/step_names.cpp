#include "plan/step_names.h"

#include <algorithm>

#include <fmt/format.h>

namespace pshard {
namespace {

// Which side of its layer a group streams; empty: both.
std::string_view side_of(const Inventory& inventory, const StreamGroup& group) {
    bool attention = !group.states.empty();
    bool ffn = false;
    bool routed = false;
    for (const int w : group.weights) {
        const Weight& weight = inventory.weights[static_cast<std::size_t>(w)];
        (weight.side == Side::Ffn ? ffn : attention) = true;
        routed = routed || weight.routed;
    }
    if (attention && ffn) return "";
    if (attention) return " attention";
    return routed ? " experts" : " FFN";
}

std::string group_name(const Inventory& inventory, const StreamGroup& group) {
    if (group.layer < 0) return "head";
    return fmt::format("layer {}{}", group.layer, side_of(inventory, group));
}

std::string stage_name(const Inventory& inventory,
                       const Graph& graph,
                       const StageCut& cut,
                       const Stage& stage) {
    if (stage.group >= 0) {
        return group_name(inventory, cut.groups[static_cast<std::size_t>(stage.group)]);
    }
    int first = -1;
    int last = -1;
    for (int i = stage.node_begin; i < stage.node_end; ++i) {
        const int layer = graph.nodes[static_cast<std::size_t>(i)].layer;
        if (layer < 0) continue;
        first = first < 0 ? layer : std::min(first, layer);
        last = std::max(last, layer);
    }
    if (first < 0) return stage.node_begin == 0 ? "embeddings" : "head";
    if (first == last) return fmt::format("layer {}", first);
    return fmt::format("layers {}-{}", first, last);
}

const StreamGroup& group_of(const StageCut& cut, int group) {
    return cut.groups[static_cast<std::size_t>(group)];
}

}  // namespace

std::vector<std::string> step_names(const Inventory& inventory,
                                    const Graph& graph,
                                    const StageCut& cut,
                                    const Schedule& schedule) {
    std::vector<std::string> names;
    for (const Step& step : schedule.steps) {
        std::string& name = names.emplace_back();
        if (const auto* load = std::get_if<Load>(&step.what)) {
            name = group_name(inventory, group_of(cut, load->group));
        } else if (const auto* store = std::get_if<Store>(&step.what)) {
            name = group_name(inventory, group_of(cut, store->group));
        } else if (const auto* compute = std::get_if<Compute>(&step.what)) {
            const Stage& stage = cut.stages[static_cast<std::size_t>(compute->stage)];
            name = stage_name(inventory, graph, cut, stage);
        }
    }
    return names;
}

std::vector<Bytes> step_bytes(const Inventory& inventory,
                              const StageCut& cut,
                              const Schedule& schedule) {
    std::vector<Bytes> bytes;
    for (const Step& step : schedule.steps) {
        const auto* load = std::get_if<Load>(&step.what);
        bytes.push_back(load != nullptr ? group_bytes(inventory, group_of(cut, load->group)) : 0);
    }
    return bytes;
}

}  // namespace pshard
