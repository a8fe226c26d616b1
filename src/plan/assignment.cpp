#include "plan/assignment.h"

#include <utility>

#include "plan/graph_facts.h"

namespace pshard {
namespace {

constexpr Device kUndecided{Device::kCpu - 1};

class Assigner {
public:
    Assigner(const GraphFacts& facts, const Placement& placement, OpOffload offload)
        : nodes_(facts.nodes()),
          placement_(placement),
          offload_(offload),
          devices_(nodes_.size(), kUndecided) {}

    std::vector<Device> run() {
        decide_by_memory();
        if (n_undecided_ > 0) spread_up(/*cpu_too=*/false);
        if (n_undecided_ > 0) spread_down(/*cpu_too=*/true);
        if (n_undecided_ > 0) spread_up(/*cpu_too=*/true);
        settle();
        return std::move(devices_);
    }

private:
    Device by_memory(const NodeFacts& node) const {
        if (node.home >= 0) {
            return device_of(placement_.states[static_cast<std::size_t>(node.home)]);
        }
        if (node.deciding_weight < 0) return kUndecided;
        if (!node.device_supports) return Device::Cpu;
        const Lane lane = placement_.weights[static_cast<std::size_t>(node.deciding_weight)];
        const bool uploads = offload_ == OpOffload::Stock && node.offloads && lane == Lane::Cpu;
        return uploads ? Device::Gpu : device_of(lane);
    }

    // Also spreads the GPU down, in the same walk.
    void decide_by_memory() {
        Device current = kUndecided;
        for (std::size_t i = 0; i < devices_.size(); ++i) {
            devices_[i] = by_memory(nodes_[i]);
            if (devices_[i] == kUndecided && !nodes_[i].is_view) ++n_undecided_;
            spread(i, /*cpu_too=*/false, current);
        }
    }

    void spread(std::size_t i, bool cpu_too, Device& current) {
        const NodeFacts& node = nodes_[i];
        if (node.is_view) return;
        if (devices_[i] != kUndecided) {
            const bool spreads = cpu_too || devices_[i].is_gpu();
            current = spreads ? devices_[i] : kUndecided;
        } else if (current != kUndecided && (!current.is_gpu() || node.device_supports)) {
            devices_[i] = current;
            --n_undecided_;
        }
    }

    void spread_down(bool cpu_too) {
        Device current = kUndecided;
        for (std::size_t i = 0; i < devices_.size(); ++i) spread(i, cpu_too, current);
    }

    void spread_up(bool cpu_too) {
        Device current = kUndecided;
        for (std::size_t i = devices_.size(); i-- > 0;) spread(i, cpu_too, current);
    }

    // Views are where their storage is, which comes before them; the CPU takes the rest.
    void settle() {
        for (std::size_t i = 0; i < devices_.size(); ++i) {
            if (devices_[i] != kUndecided) continue;
            const NodeFacts& node = nodes_[i];
            const bool follows = node.is_view && node.viewed >= 0 && node.viewed < int(i);
            devices_[i] = follows ? devices_[std::size_t(node.viewed)] : Device::Cpu;
        }
    }

    const std::vector<NodeFacts>& nodes_;
    const Placement& placement_;
    OpOffload offload_;
    std::vector<Device> devices_;
    int n_undecided_ = 0;  // nodes that compute something
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
