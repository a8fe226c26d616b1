#include "plan/plan_hash.h"

#include <string>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace pshard {
namespace {

template <typename... Values>
void add(std::string& text, const Values&... values) {
    ((text += fmt::format("{} ", values)), ...);
}

void add(std::string& text, const Step& step) {
    add(text, static_cast<int>(step.lane), step.what.index());
    if (const Load* load = std::get_if<Load>(&step.what)) add(text, load->group);
    if (const Compute* compute = std::get_if<Compute>(&step.what)) add(text, compute->stage);
    if (const Store* store = std::get_if<Store>(&step.what)) add(text, store->group);
    if (const Wait* wait = std::get_if<Wait>(&step.what)) add(text, wait->step, wait->of_last_pass);
}

}  // namespace

Hash64 graph_hash(const Graph& graph) {
    std::string text;
    add(text, graph.n_tokens, graph.n_seqs, graph.n_outputs);
    for (const Input& input : graph.inputs) {
        text += fmt::format("i {} {} ", input.type, fmt::join(input.shape, " "));
    }
    for (const Node& node : graph.nodes) {
        text += fmt::format("n {} {} {} ", node.op, node.type, fmt::join(node.shape, " "));
        for (const Ref& source : node.sources) {
            add(text, static_cast<int>(source.kind), source.index);
        }
    }
    return text_hash(text);
}

Hash64 schedule_hash(const TierArena& arena, const StageCut& cut, const Schedule& schedule) {
    std::string text =
        fmt::format("{} {} ", fmt::join(arena.weights, " "), fmt::join(arena.states, " "));
    add(text,
        arena.slots_begin,
        arena.slots.pair,
        arena.slots.experts,
        arena.scratch_begin,
        arena.scratch,
        arena.end);
    for (const StreamGroup& group : cut.groups) {
        text +=
            fmt::format("g {} {} ", fmt::join(group.weights, " "), fmt::join(group.states, " "));
        add(text, static_cast<int>(group.slot), group.on_demand);
    }
    for (const Stage& stage : cut.stages) {
        add(text, static_cast<int>(stage.device), stage.node_begin, stage.node_end, stage.group);
    }
    for (const Step& step : schedule.steps) add(text, step);
    return text_hash(text);
}

}  // namespace pshard
