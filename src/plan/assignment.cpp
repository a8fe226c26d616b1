#include "plan/assignment.h"

#include <algorithm>
#include <optional>

#include "ops/op_table.h"

namespace pshard {
namespace {

using Choice = std::optional<Device>;

const Ref* deciding_weight(const Node& node) {
    const auto weight = std::ranges::find(node.sources, Ref::Kind::Weight, &Ref::kind);
    const bool decides = weight != node.sources.end() && op_rule(node.op).weights_decide;
    return decides ? &*weight : nullptr;
}

class Assigner {
public:
    Assigner(const Inventory& inventory,
             const Graph& graph,
             const Placement& placement,
             OpOffload offload)
        : inventory_(inventory),
          graph_(graph),
          placement_(placement),
          offload_(offload),
          choice_(graph.nodes.size()) {}

    std::vector<Device> run() {
        for (std::size_t i = 0; i < choice_.size(); ++i) choice_[i] = by_memory(graph_.nodes[i]);
        spread_down(/*cpu_too=*/false);
        spread_up(/*cpu_too=*/false);
        spread_down(/*cpu_too=*/true);
        spread_up(/*cpu_too=*/true);
        return settled();
    }

private:
    Choice by_memory(const Node& node) const {
        if (node.has_storage && node.storage.kind == Ref::Kind::State) {
            return device_of(placement_.states[static_cast<std::size_t>(node.storage.index)]);
        }
        const Ref* weight = deciding_weight(node);
        if (weight == nullptr) return std::nullopt;
        const bool uploads = offload_ == OpOffload::Stock && node.device_supports &&
                             is_offloaded(inventory_, node, placement_);
        if (uploads) return Device::Gpu;
        const Device device =
            device_of(placement_.weights[static_cast<std::size_t>(weight->index)]);
        return node.device_supports ? device : Device::Cpu;
    }

    void spread(std::size_t i, bool cpu_too, Choice& current) {
        const Node& node = graph_.nodes[i];
        if (node.is_view) return;
        if (choice_[i]) {
            const bool spreads = cpu_too || choice_[i]->is_gpu();
            current = spreads ? choice_[i] : std::nullopt;
        } else if (current && (!current->is_gpu() || node.device_supports)) {
            choice_[i] = current;
        }
    }

    void spread_down(bool cpu_too) {
        Choice current;
        for (std::size_t i = 0; i < choice_.size(); ++i) spread(i, cpu_too, current);
    }

    void spread_up(bool cpu_too) {
        Choice current;
        for (std::size_t i = choice_.size(); i-- > 0;) spread(i, cpu_too, current);
    }

    std::vector<Device> settled() const {
        std::vector<Device> devices(choice_.size(), Device::Cpu);
        for (std::size_t i = 0; i < choice_.size(); ++i) {
            const Node& node = graph_.nodes[i];
            const bool follows = node.is_view && !choice_[i] && node.has_storage &&
                                 node.storage.kind == Ref::Kind::Node;
            if (choice_[i]) devices[i] = *choice_[i];
            if (follows) devices[i] = devices[static_cast<std::size_t>(node.storage.index)];
        }
        return devices;
    }

    const Inventory& inventory_;
    const Graph& graph_;
    const Placement& placement_;
    OpOffload offload_;
    std::vector<Choice> choice_;
};

}  // namespace

bool is_offloaded(const Inventory& inventory, const Node& node, const Placement& placement) {
    const Ref* weight = deciding_weight(node);
    if (weight == nullptr || offload_rows(op_rule(node.op), node.shape) < kOffloadMinRows)
        return false;
    const auto index = static_cast<std::size_t>(weight->index);
    return inventory.weights[index].side != Side::Input && placement.weights[index] == Lane::Cpu;
}

bool is_copied_back(const Node& node, std::size_t weight, const Placement& placement) {
    return !node.device_supports && is_resident(placement.weights[weight]);
}

std::vector<Device> assign_nodes(const Inventory& inventory,
                                 const Graph& graph,
                                 const Placement& placement,
                                 OpOffload offload) {
    return Assigner(inventory, graph, placement, offload).run();
}

}  // namespace pshard
