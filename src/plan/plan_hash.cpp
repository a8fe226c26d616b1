// Hashes of what a plan does, equal on the planner's side and on the device's.
//
// In: a graph and its inventory; for steps_hash() a placement too. Out: a hash, or none.
//
//   whole graph (planner)   [embeddings: CPU][        the device's part        ]
//   device_part()                            [ nodes 0 .. n of a graph of its own ]
//                                            values from before become inputs
//
//   ops_hash     op, type, streams and sources of each node
//   steps_hash   groups and their slots, stages, and the schedule's steps
//
// Both are text hashes of a list of words, in the order of nodes, groups, stages and steps.
//
// Traps: weights and states go by name, as their indices differ on the two sides. A view of an
// input counts as the input, which is what the device sees where llama.cpp's scheduler has copied
// it. The text must not change, or the device would warn of every plan that was written before. A
// graph in which the CPU computes again after the device has begun is no single part, and has no
// hash.
#include "plan/plan_hash.h"

#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/overloaded.h"
#include "inventory/tensor_view.h"
#include "ops/op_table.h"
#include "plan/lowered.h"

namespace pshard {
namespace {

template <typename... Values>
void add(std::string& text, const Values&... values) {
    ((text += fmt::format("{} ", values)), ...);
}

void add(std::string& text, const Step& step, int n_gpus) {
    add(text, step.lane.index(n_gpus), step.what.index());
    std::visit(Overloaded{[&](const Load& load) { add(text, load.group); },
                          [&](const Compute& compute) { add(text, compute.stage); },
                          [&](const Store& store) { add(text, store.group); },
                          [&](const Wait& wait) { add(text, wait.step, wait.of_last_pass); }},
               step.what);
}

// Appends a slot. A slot of the first GPU without a number is written as it always was, so that old
// hashes stay.
void add_slot(std::string& text, const Slot& slot) {
    add(text, static_cast<int>(slot.kind));
    if (slot.gpu != 0 || slot.number != 0) add(text, slot.gpu, slot.number);
}

Placement all_on_the_device(const Inventory& inventory) {
    Placement placement;
    for (const Weight& weight : inventory.weights) {
        placement.weights.push_back(weight.side == Side::Input ? Lane::Cpu : Lane::Gpu);
    }
    placement.states.resize(inventory.states.size(), Lane::Gpu);
    return placement;
}

// Whether the node is flash attention over a cache whose V is quantized: llama.cpp has no other for
// it, whatever -fa auto finds.
bool attends_own_state(const Inventory& inventory, const Graph& graph, const Node& node) {
    if (node.op != "FLASH_ATTN_EXT" || node.sources.size() < 3) return false;
    const Ref k = root_of(node.sources[1], graph);
    const Ref v = root_of(node.sources[2], graph);
    if (k.kind != Ref::Kind::State || v.kind != Ref::Kind::State) return false;
    const std::string& type = inventory.states[static_cast<std::size_t>(v.index)].type;
    return type != "f32" && type != "f16" && type != "bf16";
}

// Whether PSHARD0 has the node computed, by the CPU if the GPU cannot: a product with a weight that
// llama.cpp has loaded to PSHARD0, or attention over such a cache (runtime/backend.cpp).
bool is_taken_on(const Inventory& inventory, const Graph& graph, const Node& node) {
    if (attends_own_state(inventory, graph, node)) return true;
    const OpFamily family = op_rule(node.op).family;
    const bool product = family == OpFamily::MatMul || family == OpFamily::MatMulId;
    if (!product || node.sources.empty()) return false;
    const Ref& factor = node.sources.front();
    return factor.kind == Ref::Kind::Weight &&
           inventory.weights[static_cast<std::size_t>(factor.index)].side != Side::Input;
}

// The devices as llama.cpp's scheduler sees them: PSHARD0 and the CPU.
std::vector<Device> devices_for_scheduler(const Inventory& inventory, Graph graph) {
    for (Node& node : graph.nodes) {
        node.device_supports = node.device_supports || is_taken_on(inventory, graph, node);
    }
    return assign_nodes(inventory, graph, all_on_the_device(inventory), OpOffload::Never);
}

// The index of the first node of the part; -1: there is none.
int part_begin(const Graph& graph, const std::vector<Device>& devices) {
    int begin = -1;
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
        if (graph.nodes[i].is_view) continue;
        const bool on_device = devices[i].is_gpu();
        if (begin >= 0 && !on_device) return -1;
        if (begin < 0 && on_device) begin = static_cast<int>(i);
    }
    return begin;
}

// Collects the nodes of one part of a graph, and leads their Refs to where they stand in the part.
class Part {
public:
    Part(const Graph& whole, int begin)
        : whole_(whole), begin_(begin), crossing_(static_cast<std::size_t>(begin), -1) {
        part_.n_tokens = whole.n_tokens;
        part_.n_seqs = whole.n_seqs;
        part_.n_outputs = whole.n_outputs;
        part_.inputs = whole.inputs;
    }

    Graph take() {
        for (auto i = static_cast<std::size_t>(begin_); i < whole_.nodes.size(); ++i) {
            Node node = whole_.nodes[i];
            for (Ref& source : node.sources) source = moved(source);
            if (node.has_storage) node.storage = moved(node.storage);
            part_.nodes.push_back(std::move(node));
        }
        return std::move(part_);
    }

private:
    Ref moved(const Ref& ref) {
        if (ref.kind != Ref::Kind::Node) return ref;
        if (ref.index >= begin_) return {Ref::Kind::Node, ref.index - begin_};
        int& input = crossing_[static_cast<std::size_t>(ref.index)];
        if (input < 0) input = add_input(whole_.nodes[static_cast<std::size_t>(ref.index)]);
        return {Ref::Kind::Input, input};
    }

    int add_input(const Node& node) {
        part_.inputs.push_back({node.name, node.type, node.shape, node.bytes, node.alloc_bytes});
        return static_cast<int>(part_.inputs.size()) - 1;
    }

    const Graph& whole_;
    int begin_;
    std::vector<int> crossing_;  // inputs that earlier nodes have become
    Graph part_;
};

const std::string& name_of(const Inventory& inventory, const Ref& ref) {
    const auto index = static_cast<std::size_t>(ref.index);
    return ref.kind == Ref::Kind::Weight ? inventory.weights[index].name
                                         : inventory.states[index].name;
}

void add(std::string& text, const Inventory& inventory, const Ref& ref) {
    add(text, static_cast<int>(ref.kind));
    if (ref.kind == Ref::Kind::Node) add(text, ref.index);
    if (ref.kind == Ref::Kind::Weight || ref.kind == Ref::Kind::State) {
        add(text, name_of(inventory, ref));
    }
}

// A view of an input is an input where the scheduler has copied it to the device.
Ref as_read(const Graph& part, const Ref& ref) {
    if (ref.kind != Ref::Kind::Node) return ref;
    const Node& node = part.nodes[static_cast<std::size_t>(ref.index)];
    const bool of_input = node.is_view && node.has_storage && node.storage.kind == Ref::Kind::Input;
    return of_input ? node.storage : ref;
}

}  // namespace

std::optional<Graph> device_part(const Inventory& inventory, const Graph& graph) {
    const int begin = part_begin(graph, devices_for_scheduler(inventory, graph));
    if (begin < 0) return std::nullopt;
    return Part(graph, begin).take();
}

Hash64 ops_hash(const Inventory& inventory, const Graph& part) {
    std::string text;
    for (const Node& node : part.nodes) {
        add(text, node.op, node.type, node.shape[3], node.sources.size());
        for (const Ref& source : node.sources) add(text, inventory, as_read(part, source));
    }
    return text_hash(text);
}

std::optional<Hash64> steps_hash(const Inventory& inventory,
                                 const Graph& part,
                                 const Placement& placement,
                                 const StageOptions& options) {
    const Lowered lowered = lower({inventory, part}, placement, options, LowerUntil::Schedule);
    if (!lowered.streamable) return std::nullopt;
    const int n_gpus = lowered.cut.n_gpus;
    std::string text;
    for (const StreamGroup& group : lowered.cut.groups) {
        add_slot(text, group.slot);
        add(text, group.on_demand);
        add(text, group.weights.size(), group.states.size());
        for (const int w : group.weights) add(text, inventory, Ref{Ref::Kind::Weight, w});
        for (const int s : group.states) add(text, inventory, Ref{Ref::Kind::State, s});
    }
    for (const Stage& stage : lowered.cut.stages) {
        add(text, stage.device.index(n_gpus), stage.node_begin, stage.node_end, stage.group);
    }
    for (const Step& step : lowered.schedule.steps) add(text, step, n_gpus);
    return text_hash(text);
}

}  // namespace pshard
