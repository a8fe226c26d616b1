#include "plan/assignment.h"

#include <optional>

#include "plan/graph_facts.h"

namespace pshard {
namespace {

using Choice = std::optional<Device>;

class Assigner {
public:
    Assigner(const GraphFacts& facts, const Placement& placement, OpOffload offload)
        : nodes_(facts.nodes()), placement_(placement), offload_(offload), choice_(nodes_.size()) {}

    std::vector<Device> run() {
        for (std::size_t i = 0; i < choice_.size(); ++i) choice_[i] = by_memory(nodes_[i]);
        spread_down(/*cpu_too=*/false);
        spread_up(/*cpu_too=*/false);
        spread_down(/*cpu_too=*/true);
        spread_up(/*cpu_too=*/true);
        return settled();
    }

private:
    Choice by_memory(const NodeFacts& node) const {
        if (node.home >= 0) {
            return device_of(placement_.states[static_cast<std::size_t>(node.home)]);
        }
        if (node.deciding_weight < 0) return std::nullopt;
        if (!node.device_supports) return Device::Cpu;
        const Lane lane = placement_.weights[static_cast<std::size_t>(node.deciding_weight)];
        const bool uploads = offload_ == OpOffload::Stock && node.offloads && lane == Lane::Cpu;
        return uploads ? Device::Gpu : device_of(lane);
    }

    void spread(std::size_t i, bool cpu_too, Choice& current) {
        const NodeFacts& node = nodes_[i];
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
            const NodeFacts& node = nodes_[i];
            const bool follows = node.is_view && !choice_[i] && node.viewed >= 0;
            if (choice_[i]) devices[i] = *choice_[i];
            if (follows) devices[i] = devices[static_cast<std::size_t>(node.viewed)];
        }
        return devices;
    }

    const std::vector<NodeFacts>& nodes_;
    const Placement& placement_;
    OpOffload offload_;
    std::vector<Choice> choice_;
};

}  // namespace

bool is_offloaded(const Inventory& inventory, const Node& node, const Placement& placement) {
    const NodeFacts facts = facts_of(inventory, node);
    if (!facts.offloads) return false;
    return placement.weights[static_cast<std::size_t>(facts.deciding_weight)] == Lane::Cpu;
}

bool is_copied_back(const Node& node, std::size_t weight, const Placement& placement) {
    return !node.device_supports && is_resident(placement.weights[weight]);
}

std::vector<Device> assign_nodes(const Inventory& inventory,
                                 const Graph& graph,
                                 const Placement& placement,
                                 OpOffload offload) {
    return assign_nodes(GraphFacts(inventory, graph), placement, offload);
}

std::vector<Device> assign_nodes(const GraphFacts& facts,
                                 const Placement& placement,
                                 OpOffload offload) {
    return Assigner(facts, placement, offload).run();
}

}  // namespace pshard
