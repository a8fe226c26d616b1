#include "plan/step_labels.h"

#include <fmt/format.h>

#include "base/counted.h"
#include "base/overloaded.h"

namespace pshard {
namespace {

std::string layer_text(int layer) { return layer < 0 ? "" : fmt::format("layer {} ", layer); }

std::string stage_text(const Graph& graph, const StageCut& cut, const Stage& stage) {
    int first = -1;
    int last = -1;
    for (int i = stage.node_begin; i < stage.node_end; ++i) {
        const Node& node = graph.nodes[static_cast<std::size_t>(i)];
        const bool computes =
            !node.is_view && cut.devices[static_cast<std::size_t>(i)] == stage.device;
        if (!computes) continue;
        first = first < 0 ? i : first;
        last = i;
    }
    if (first < 0) return "nothing";
    const Node& begin = graph.nodes[static_cast<std::size_t>(first)];
    const Node& end = graph.nodes[static_cast<std::size_t>(last)];
    if (begin.layer != end.layer) return fmt::format("{} to {}", begin.name, end.name);
    return fmt::format("{}({} to {})", layer_text(begin.layer), begin.name, end.name);
}

std::string group_text(const StreamGroup& group) {
    const std::string_view experts = group.on_demand ? "experts on demand, " : "";
    return fmt::format("{}({}{}, {})",
                       layer_text(group.layer),
                       experts,
                       counted(group.weights.size(), "weight"),
                       counted(group.states.size(), "state"));
}

Bytes load_bytes(const Inventory& inventory, const StreamGroup& group) {
    Bytes bytes = 0;
    if (group.on_demand) return bytes;
    for (const int w : group.weights) bytes += inventory.weights[static_cast<std::size_t>(w)].bytes;
    for (const int s : group.states) bytes += inventory.states[static_cast<std::size_t>(s)].bytes;
    return bytes;
}

}  // namespace

std::vector<StepLabel> label_steps(const Inventory& inventory,
                                   const Graph& graph,
                                   const StageCut& cut,
                                   const Schedule& schedule) {
    const auto group_of = [&](int group) -> const StreamGroup& {
        return cut.groups[static_cast<std::size_t>(group)];
    };
    const Overloaded label{[&](const Load& load) {
                               const StreamGroup& group = group_of(load.group);
                               return StepLabel{group_text(group), load_bytes(inventory, group)};
                           },
                           [&](const Compute& compute) {
                               const Stage& stage =
                                   cut.stages[static_cast<std::size_t>(compute.stage)];
                               return StepLabel{stage_text(graph, cut, stage), 0};
                           },
                           [&](const Store& store) {
                               return StepLabel{group_text(group_of(store.group)), 0};
                           },
                           [](const Wait&) { return StepLabel{}; }};
    std::vector<StepLabel> labels;
    for (const Step& step : schedule.steps) {
        labels.push_back(std::visit(label, step.what));
    }
    return labels;
}

}  // namespace pshard
