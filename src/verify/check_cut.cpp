// Checks that each stage can reach what its nodes read and write of the model.
//
// In: a graph, its placement, its cut into stages and groups, and which weights stock uploads for
// one op. Out: one line for each node that would read or write where its device cannot, and for
// each group whose stages are not those that it says.
//
//   a node on the GPU may read   weights and states that are resident there
//                                streamed ones, if the group of its stage holds them
//                                weights with an address in the scratch (stock's op-offload)
//   a node on the CPU may read   what lies in host memory
//                                weights of no layer (rope factors): each has a host master
//                                weights in VRAM that the GPU reads too, if it lacks this op
//                                streamed states that no group of this pass moves
//
//   stage    [0  GPU     ][1  GPU, group 0  ][2  CPU ]
//   node                   5 reads w7          w7 must be in group 0, and group 0 say: stage 1 to 1
//
// Traps: a view computes nothing, so that any stage may hold it. A view that crosses to another
// device is copied into the scratch; check_scratch() follows the copy, so it is no fault here.
#include <fmt/format.h>

#include <algorithm>

#include "verify/checks.h"

namespace pshard {
namespace {

// Checks that all that a node reads of the model is within its reach.
class ReachCheck {
public:
    ReachCheck(const PlanUnderTest& plan, Violations& violations)
        : plan_(plan), violations_(violations), used_in_vram_(plan.inventory.weights.size()) {
        for (std::size_t i = 0; i < plan.graph.nodes.size(); i++) {
            const Node& node = plan.graph.nodes[i];
            if (node.is_view || !device_at(static_cast<int>(i)).is_gpu()) continue;
            for (const Ref& source : node.sources) note_use(source);
        }
    }

    void stage(int index) {
        stage_ = index;
        const Stage& stage = plan_.lowered.cut.stages[static_cast<std::size_t>(index)];
        for (int i = stage.node_begin; i < stage.node_end; i++) node(i, stage.device);
    }

private:
    const Node& node_at(int index) const {
        return plan_.graph.nodes[static_cast<std::size_t>(index)];
    }

    Device device_at(int index) const {
        return plan_.lowered.cut.devices[static_cast<std::size_t>(index)];
    }

    void note_use(Ref source) {
        if (source.kind == Ref::Kind::Node && node_at(source.index).has_storage) {
            source = node_at(source.index).storage;
        }
        if (source.kind == Ref::Kind::Weight) {
            used_in_vram_[static_cast<std::size_t>(source.index)] = true;
        }
    }

    void node(int index, Device stage_device) {
        const Node& node = node_at(index);
        const Device device = device_at(index);
        if (node.is_view) return;  // computes nothing, so that any stage may hold it
        if (device != stage_device) {
            complain(
                node, device, fmt::format("is in a stage of the {}", device_text(stage_device)));
        }
        if (device.is_gpu() && !node.device_supports) {
            complain(node, device, "is not supported there");
        }
        for (const Ref& source : node.sources) read(node, device, source);
        if (node.has_storage) write(node, device);
    }

    void read(const Node& node, Device device, const Ref& source) {
        Ref root = source;
        if (source.kind == Ref::Kind::Node && node_at(source.index).has_storage) {
            root = node_at(source.index).storage;
            // A view of a state or a weight that another device holds crosses as a value does, into
            // a copy in the scratch, which check_scratch() follows.
            const bool crosses = device_at(source.index) != device;
            if (crosses && root.kind != Ref::Kind::Node) return;
        }
        if (root.kind == Ref::Kind::Weight) weight(node, device, root.index);
        if (root.kind == Ref::Kind::State) state(node, device, root.index);
    }

    void write(const Node& node, Device device) {
        if (node.storage.kind == Ref::Kind::State) state(node, device, node.storage.index);
        if (node.storage.kind != Ref::Kind::Node) return;
        if (device_at(node.storage.index) == device) return;
        complain(
            node,
            device,
            fmt::format("writes into '{}' on the other side", node_at(node.storage.index).name));
    }

    void weight(const Node& node, Device device, int index) {
        const auto i = static_cast<std::size_t>(index);
        const Weight& weight = plan_.inventory.weights[i];
        const Lane lane = plan_.lowered.placement.weights[i];
        // Layers on GPU and CPU read such tables (rope factors); the CPU reads the host master.
        const bool shared = weight.layer < 0 && !weight.name.starts_with("output");
        if (device == Device::Cpu) {
            // A node that the GPU does not support reads the host master of a resident weight,
            // which must be resident for a node of the GPU.
            const bool astray = !shared && (node.device_supports || !used_in_vram_[i]);
            if (is_resident(lane) && astray && plan_.lowered.scratch.cpu.weights[i] == kNoOffset) {
                complain(node, device, fmt::format("reads '{}', which is in VRAM", weight.name));
            }
        } else if (is_streamed(lane)) {
            in_group(node, &StreamGroup::weights, index, weight.name);
        } else if (device_of(lane) != device &&
                   plan_.lowered.scratch.of(device).weights[i] == kNoOffset) {
            const bool host = lane == Lane::Cpu;
            complain(node,
                     device,
                     host ? fmt::format("reads '{}', which stays in host memory", weight.name)
                          : fmt::format("reads '{}', which is in the memory of the {}",
                                        weight.name,
                                        device_text(device_of(lane))));
        }
    }

    void state(const Node& node, Device device, int index) {
        const auto i = static_cast<std::size_t>(index);
        const State& state = plan_.inventory.states[i];
        const Lane lane = plan_.lowered.placement.states[i];
        // No step of this pass uploads or writes the state, so that its host master is as good.
        if (device == Device::Cpu && is_streamed(lane) && !is_moved(index)) return;
        if (device_of(lane) != device) {
            complain(
                node,
                device,
                fmt::format(
                    "uses '{}', which is of the {}", state.name, device_text(device_of(lane))));
        } else if (is_streamed(lane)) {
            in_group(node, &StreamGroup::states, index, state.name);
        }
    }

    bool is_moved(int state) const {
        const std::vector<StreamGroup>& groups = plan_.lowered.cut.groups;
        return std::ranges::any_of(groups, [&](const StreamGroup& group) {
            return std::ranges::count(group.states, state) > 0;
        });
    }

    void in_group(const Node& node,
                  std::vector<int> StreamGroup::*members,
                  int index,
                  const std::string& name) {
        const int group = plan_.lowered.cut.stages[static_cast<std::size_t>(stage_)].group;
        if (group == -1) {
            complain(node,
                     Device::Gpu,
                     fmt::format("reads '{}', and its stage {} has no group", name, stage_));
            return;
        }
        const auto& held = plan_.lowered.cut.groups[static_cast<std::size_t>(group)].*members;
        if (std::find(held.begin(), held.end(), index) != held.end()) return;
        complain(node,
                 Device::Gpu,
                 fmt::format("reads '{}', which is not in {} of its stage {}",
                             name,
                             group_text(plan_.lowered.cut, group),
                             stage_));
    }

    void complain(const Node& node, Device device, const std::string& what) {
        pshard::complain(
            violations_, "node '{}' on the {} {}", node.name, device_text(device), what);
    }

    const PlanUnderTest& plan_;
    Violations& violations_;
    std::vector<bool> used_in_vram_;  // by weight: a node of a GPU reads it
    int stage_ = 0;
};

// Checks that a group's first and last stage are what the group says.
void check_span(const StageCut& cut, int index, Violations& violations) {
    const StreamGroup& group = cut.groups[static_cast<std::size_t>(index)];
    int first = -1;
    int last = -1;
    for (std::size_t s = 0; s < cut.stages.size(); s++) {
        if (cut.stages[s].group != index) continue;
        if (first < 0) first = static_cast<int>(s);
        last = static_cast<int>(s);
    }
    if (first == group.first_stage && last == group.last_stage) return;
    complain(violations,
             "{} says stages {} to {}, its stages are {} to {}",
             group_text(cut, index),
             group.first_stage,
             group.last_stage,
             first,
             last);
}

}  // namespace

void check_cut(const PlanUnderTest& plan, Violations& violations) {
    ReachCheck reach(plan, violations);
    for (std::size_t s = 0; s < plan.lowered.cut.stages.size(); s++) {
        reach.stage(static_cast<int>(s));
        const Stage& stage = plan.lowered.cut.stages[s];
        if (stage.group == -1) continue;
        const StreamGroup& group = plan.lowered.cut.groups[static_cast<std::size_t>(stage.group)];
        if (stage.device == Device::gpu(group.slot.gpu)) continue;
        complain(violations,
                 "stage {} is on the {} and has {}",
                 s,
                 device_text(stage.device),
                 group_text(plan.lowered.cut, stage.group));
    }
    for (std::size_t g = 0; g < plan.lowered.cut.groups.size(); g++) {
        check_span(plan.lowered.cut, static_cast<int>(g), violations);
    }
}

}  // namespace pshard
