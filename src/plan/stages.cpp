// Cuts a graph into stages and stream groups.
//
// In: a graph, and a lane for every weight and state. Out: a device for every node (assignment.h),
// stages (runs of nodes that are computed as one), groups (what is uploaded as one) and hops (what
// crosses from a GPU to another device).
//
// One walk over the nodes decides it all. Views compute nothing and never begin a stage. Each other
// node has a key: the layer, the GPU and the kind (whole or on demand) of the streamed memory that
// it reads, or none. A node begins a new stage where
//
//   * its device is not that of the stage before it,
//   * it has a key, and the stage has another or none,
//   * it has no key, the stage has one, and the node reads memory of another layer: the group's
//     slot comes free sooner.
//
//   node      embd  norm  q   k   rope  attn  up   gate  down  add  norm  q ...
//   key       -     -     1   1   -     1     -    -     -     -    -     2     attention: streamed
//   device    C     G     G   G   G     G     C    C     C     G    G     G     FFN: the CPU's
//   stage     [0 ]  [1 ]  [2                ] [3           ]   [4      ]  [5 ...
//   group                 [0                ]                             [1
//
// Nodes without a key go on in the stage that is open (rope above), so that a layer is one stage. A
// key that comes again after another stage joins its old group: the group then lives in its slot
// from its first stage to its last. Where the slot would be needed in between, make_schedule()
// refuses.
//
// Groups of a GPU take the slots A and B in turn, in the order of first use; groups on demand take
// the slot of the experts. Slots A and B grow from both ends of one range, as neighbours alone are
// there together; the last group and the first of the next pass are neighbours, too.
//
// Traps: a value crosses once to each device, however many nodes read it there. So does a weight in
// VRAM that stock's scheduler copies back, for a node that the device does not support. A view
// crosses as the view, not as its storage. A view of a state does not cross: the node runs where
// the state is.
#include "plan/stages.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "inventory/tensor_view.h"
#include "plan/graph_facts.h"

namespace pshard {
namespace {

// What makes nodes belong to the same upload.
struct GroupKey {
    int layer = -1;
    bool on_demand = false;
    std::uint8_t gpu = 0;

    bool operator==(const GroupKey&) const = default;
};

// Marks an index; tells whether it was marked before.
bool seen(std::vector<bool>& marks, std::size_t index) {
    const bool before = marks[index];
    marks[index] = true;
    return before;
}

class Cutter {
public:
    Cutter(const GraphFacts& facts, const Placement& placement, const StageOptions& options)
        : inventory_(facts.inventory()),
          graph_(facts.graph()),
          facts_(facts),
          placement_(placement),
          options_(options) {
        cut_.devices = assign_nodes(facts, placement, options.offload);
        cut_.n_gpus = count_gpus(placement);
        const std::size_t n_devices = static_cast<std::size_t>(cut_.n_gpus) + 1;
        crossed_nodes_.resize(n_devices * graph_.nodes.size());
        crossed_inputs_.resize(n_devices * graph_.inputs.size());
        listed_weights_.resize(inventory_.weights.size());
        listed_states_.resize(inventory_.states.size());
        streams_ = std::ranges::any_of(placement.weights, is_streamed) ||
                   std::ranges::any_of(placement.states, is_streamed);
    }

    StageCut run() {
        for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
            if (!facts_.nodes()[i].is_view) add(i);
        }
        if (!cut_.stages.empty())
            cut_.stages.back().node_end = static_cast<int>(graph_.nodes.size());
        alternate_slots();
        return std::move(cut_);
    }

private:
    const Node& node(int i) const { return graph_.nodes[static_cast<std::size_t>(i)]; }

    void add(std::size_t i) {
        const std::optional<GroupKey> key =
            streams_ && cut_.devices[i].is_gpu() ? streamed_by(i) : std::nullopt;
        if (begins_stage(i, key)) open_stage(i, key);
        Stage& stage = cut_.stages.back();
        if (key) list_streamed(i, stage.group);
        stage.bytes_in += crossing_bytes(i, cut_.devices[i]);
    }

    bool begins_stage(std::size_t i, const std::optional<GroupKey>& key) const {
        if (cut_.stages.empty() || cut_.stages.back().device != cut_.devices[i]) return true;
        const int group = cut_.stages.back().group;
        if (group < 0) return key.has_value();
        const GroupKey& current = keys_[static_cast<std::size_t>(group)];
        if (key) return !(*key == current);
        return leaves_layer(i, current.layer);
    }

    // Whether the node reads memory of another layer. It then ends the streamed stage, whose slot
    // comes free sooner.
    bool leaves_layer(std::size_t reader, int layer) const {
        if (facts_.memories(reader).empty()) return false;
        for (const Ref& source : facts_.sources(reader)) {
            const int other = layer_of(source);
            if (other >= 0 && other != layer) return true;
        }
        return false;
    }

    int layer_of(const Ref& ref) const {
        const auto index = static_cast<std::size_t>(ref.index);
        if (ref.kind == Ref::Kind::Weight) return inventory_.weights[index].layer;
        if (ref.kind == Ref::Kind::State) return inventory_.states[index].layer;
        return -1;
    }

    void open_stage(std::size_t i, const std::optional<GroupKey>& key) {
        // Views between two stages belong to the earlier one: they compute nothing.
        if (!cut_.stages.empty()) cut_.stages.back().node_end = static_cast<int>(i);
        Stage stage;
        stage.device = cut_.devices[i];
        stage.node_begin = cut_.stages.empty() ? 0 : static_cast<int>(i);
        stage.group = key ? group_of(*key) : -1;
        cut_.stages.push_back(stage);
        if (key) {
            cut_.groups[static_cast<std::size_t>(stage.group)].last_stage =
                static_cast<int>(cut_.stages.size()) - 1;
        }
    }

    int group_of(const GroupKey& key) {
        const auto found = std::find(keys_.rbegin(), keys_.rend(), key);
        if (found != keys_.rend()) return static_cast<int>(keys_.rend() - found) - 1;
        StreamGroup group;
        group.layer = key.layer;
        group.on_demand = key.on_demand;
        group.slot.gpu = key.gpu;
        group.first_stage = static_cast<int>(cut_.stages.size());
        keys_.push_back(key);
        cut_.groups.push_back(group);
        return static_cast<int>(keys_.size()) - 1;
    }

    std::optional<GroupKey> streamed_by(std::size_t reader) const {
        for (const Ref& memory : facts_.memories(reader)) {
            if (const auto key = key_of(memory)) return key;
        }
        return std::nullopt;
    }

    std::optional<GroupKey> key_of(const Ref& memory) const {
        const auto index = static_cast<std::size_t>(memory.index);
        const bool is_weight = memory.kind == Ref::Kind::Weight;
        const Lane lane = is_weight ? placement_.weights[index] : placement_.states[index];
        if (!is_streamed(lane)) return std::nullopt;
        if (!is_weight) return GroupKey{inventory_.states[index].layer, false, lane.gpu};
        const Weight& weight = inventory_.weights[index];
        return GroupKey{weight.layer, weight.routed && options_.slice_experts, lane.gpu};
    }

    void list_streamed(std::size_t reader, int group_index) {
        StreamGroup& group = cut_.groups[static_cast<std::size_t>(group_index)];
        for (const Ref& memory : facts_.memories(reader)) list(memory, group);
    }

    void list(const Ref& memory, StreamGroup& group) {
        const auto index = static_cast<std::size_t>(memory.index);
        if (memory.kind == Ref::Kind::Weight && is_streamed(placement_.weights[index])) {
            if (!seen(listed_weights_, index)) group.weights.push_back(memory.index);
        }
        if (memory.kind == Ref::Kind::State && is_streamed(placement_.states[index])) {
            if (!seen(listed_states_, index)) group.states.push_back(memory.index);
        }
    }

    // Bytes that cross for this node: a value crosses once to each device, when it is first read.
    Bytes crossing_bytes(std::size_t reader, Device to) {
        Bytes bytes = 0;
        const std::size_t where = to.index(cut_.n_gpus);
        for (const Ref& source : facts_.sources(reader)) {
            const auto index = static_cast<std::size_t>(source.index);
            if (source.kind == Ref::Kind::Input && to.is_gpu()) {
                const std::size_t mark = where * graph_.inputs.size() + index;
                if (!seen(crossed_inputs_, mark)) bytes += graph_.inputs[index].bytes;
            }
            if (source.kind == Ref::Kind::Weight) {
                bytes += copied_back_bytes(graph_.nodes[reader], index);
            }
            if (source.kind != Ref::Kind::Node || cut_.devices[index] == to) continue;
            if (const Ref root = root_of(source, graph_); root.kind == Ref::Kind::State) {
                bytes += copied_back_bytes(graph_.nodes[reader], root, node(source.index).bytes);
                continue;
            }
            if (seen(crossed_nodes_, where * graph_.nodes.size() + index)) continue;
            bytes += node(source.index).bytes;
            if (cut_.devices[index].is_gpu()) hop(cut_.devices[index], node(source.index).bytes);
        }
        return bytes;
    }

    // Bytes of a state's view that stock's scheduler copies to the CPU for this node.
    Bytes copied_back_bytes(const Node& reader, const Ref& state, Bytes viewed) {
        const Lane lane = placement_.states[static_cast<std::size_t>(state.index)];
        if (options_.offload != OpOffload::Stock || reader.device_supports) return 0;
        if (!is_resident(lane) || reader.has_storage) return 0;
        hop(device_of(lane), viewed);
        return viewed;
    }

    // Bytes of a weight that stock's scheduler copies to the CPU for this node: whole, and once.
    Bytes copied_back_bytes(const Node& reader, std::size_t weight) {
        if (options_.offload != OpOffload::Stock) return 0;
        if (!is_copied_back(reader, weight, placement_) || seen(listed_weights_, weight)) return 0;
        const Bytes bytes = inventory_.weights[weight].bytes;
        hop(device_of(placement_.weights[weight]), bytes);
        return bytes;
    }

    // Adds a hop from a GPU down to the stage that is open.
    void hop(Device from, Bytes bytes) {
        if (bytes == 0) return;  // nothing is copied, so no copy is set up
        const int stage = static_cast<int>(cut_.stages.size()) - 1;
        for (auto other = cut_.hops.rbegin(); other != cut_.hops.rend(); ++other) {
            if (other->stage != stage) break;
            if (other->from_gpu != from.number) continue;
            other->bytes += bytes;
            return;
        }
        cut_.hops.push_back({stage, from.number, bytes});
    }

    // Gives the groups of each GPU the slots A and B in turn.
    void alternate_slots() {
        std::vector<Slot> next(static_cast<std::size_t>(cut_.n_gpus), Slot::A);
        for (StreamGroup& group : cut_.groups) {
            Slot& ahead = next[group.slot.gpu];
            group.slot = (group.on_demand ? Slot::Experts : ahead).on(group.slot.gpu);
            if (!group.on_demand) ahead = ahead == Slot::A ? Slot::B : Slot::A;
        }
    }

    const Inventory& inventory_;
    const Graph& graph_;
    const GraphFacts& facts_;
    const Placement& placement_;
    const StageOptions& options_;
    StageCut cut_;
    std::vector<GroupKey> keys_;        // of cut_.groups
    std::vector<bool> crossed_nodes_;   // by device, then node
    std::vector<bool> crossed_inputs_;  // by device, then input
    std::vector<bool> listed_weights_;
    std::vector<bool> listed_states_;
    bool streams_ = false;  // whether anything is streamed
};

}  // namespace

StageCut cut_stages(const Inventory& inventory,
                    const Graph& graph,
                    const Placement& placement,
                    const StageOptions& options) {
    return cut_stages(GraphFacts(inventory, graph), placement, options);
}

StageCut cut_stages(const GraphFacts& facts,
                    const Placement& placement,
                    const StageOptions& options) {
    return Cutter(facts, placement, options).run();
}

Bytes group_bytes(const Inventory& inventory, const StreamGroup& group) {
    Bytes bytes = 0;
    for (const int i : group.weights)
        bytes += inventory.weights[static_cast<std::size_t>(i)].alloc_bytes;
    for (const int i : group.states)
        bytes += inventory.states[static_cast<std::size_t>(i)].alloc_bytes;
    return bytes;
}

SlotSizes slot_sizes(const Inventory& inventory, const std::vector<StreamGroup>& groups, int gpu) {
    SlotSizes sizes;
    std::vector<Bytes> ahead;  // of the groups that A and B take in turn
    for (const StreamGroup& group : groups) {
        if (group.slot.gpu != gpu) continue;
        const Bytes bytes = group_bytes(inventory, group);
        if (group.slot.keeps()) {
            sizes.kept.resize(std::max(sizes.kept.size(), std::size_t{group.slot.number} + 1));
            sizes.kept[group.slot.number] = std::max(sizes.kept[group.slot.number], bytes);
        } else if (group.on_demand) {
            sizes.experts = std::max(sizes.experts, bytes);
        } else {
            ahead.push_back(bytes);
        }
    }
    for (std::size_t i = 0; i < ahead.size(); ++i) {
        // The first group of the next pass is uploaded while the last of this one computes, unless
        // an odd number of groups leaves both in slot A.
        const bool last = i + 1 == ahead.size();
        const Bytes next = !last ? ahead[i + 1] : ahead.size() % 2 == 0 ? ahead.front() : 0;
        sizes.pair = std::max(sizes.pair, ahead[i] + next);
    }
    return sizes;
}

}  // namespace pshard
