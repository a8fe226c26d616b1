#include "plan/scratch.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_map>

#include "plan/free_list.h"

namespace pshard {
namespace {

// Ops that may write their result over an operand (ggml-alloc.c, ggml_op_can_inplace, v0.5.0).
// Unary ops carry their own names in an inventory.
constexpr std::array<std::string_view, 37> kInPlaceOps = {
    "FILL",     "SCALE",    "DIAG_MASK_ZERO", "DIAG_MASK_INF", "ADD",         "ADD_ID",
    "ADD1",     "SUB",      "MUL",            "DIV",           "SQR",         "SQRT",
    "LOG",      "ROPE",     "RMS_NORM",       "CLAMP",         "SOFT_MAX",    "ABS",
    "SGN",      "NEG",      "STEP",           "TANH",          "ELU",         "RELU",
    "SIGMOID",  "GELU",     "GELU_QUICK",     "SILU",          "HARDSWISH",   "HARDSIGMOID",
    "EXP",      "EXPM1",    "SOFTPLUS",       "GELU_ERF",      "XIELU",       "FLOOR",
    "CEIL"};

bool may_overwrite_operand(std::string_view op) {
    return std::find(kInPlaceOps.begin(), kInPlaceOps.end(), op) != kInPlaceOps.end();
}

bool same_layout(const Node& a, const Node& b) {
    return a.type == b.type && a.shape == b.shape && a.contiguous && b.contiguous;
}

// A block of scratch and the node after which nobody reads it.
struct Value {
    Device device = Device::Gpu;
    Bytes offset = kNoOffset;
    Bytes bytes = 0;
    int last_use = -1;
    bool stays = false;     // an output of the graph
    int next_dying = -1;    // list of the values that die after the same node
};

// Values are numbered: a node's own value, the copy of a node on the other device, the copy of an
// input on the GPU, the input in host memory, a weight uploaded for one op.
class ScratchBuilder {
public:
    ScratchBuilder(const Inventory& inventory, const Graph& graph, const Placement& placement,
                   const StageCut& cut, OpOffload offload)
        : inventory_(inventory), graph_(graph), placement_(placement), cut_(cut),
          offload_(offload), n_nodes_(static_cast<int>(graph.nodes.size())),
          n_inputs_(static_cast<int>(graph.inputs.size())),
          values_(static_cast<std::size_t>(2 * n_nodes_ + 2 * n_inputs_) +
                  inventory.weights.size()),
          dying_(graph.nodes.size(), -1),
          lists_{FreeList(inventory.device.alignment), FreeList(inventory.device.alignment)} {}

    ScratchLayout run() {
        find_last_uses();
        list_deaths();
        for (int i = 0; i < n_inputs_; ++i) take(host_input(i));
        for (const Stage& stage : cut_.stages) place_stage(stage);
        return layout();
    }

private:
    int copy_of(int node) const { return n_nodes_ + node; }
    int gpu_input(int input) const { return 2 * n_nodes_ + input; }
    int host_input(int input) const { return 2 * n_nodes_ + n_inputs_ + input; }
    int uploaded(int weight) const { return 2 * n_nodes_ + 2 * n_inputs_ + weight; }

    const Node& node(int i) const { return graph_.nodes[static_cast<std::size_t>(i)]; }
    Device device(int i) const { return cut_.devices[static_cast<std::size_t>(i)]; }
    Value& value(int v) { return values_[static_cast<std::size_t>(v)]; }
    const Value& value(int v) const { return values_[static_cast<std::size_t>(v)]; }
    FreeList& list(Device device) { return lists_[static_cast<std::size_t>(device)]; }

    // The node whose own memory holds node i; -1 if that is a state, a weight or an input.
    int root_node(int i) const {
        const Node& n = node(i);
        if (!n.has_storage) return i;
        return n.storage.kind == Ref::Kind::Node ? n.storage.index : -1;
    }

    void find_last_uses() {
        for (const Stage& stage : cut_.stages) {
            for (int i = stage.node_begin; i < stage.node_end; ++i) {
                if (node(i).is_view) continue;
                define(i);
                for (const Ref& source : node(i).sources) use(source, i, stage);
            }
        }
        // A view may be the output: its storage stays.
        for (int i = 0; i < n_nodes_; ++i) {
            const int root = root_node(i);
            if (node(i).is_output && root >= 0) value(root).stays = true;
        }
    }

    void define(int i) {
        const int root = root_node(i);
        if (root < 0) return;
        Value& own = value(root);
        if (root == i) {
            own.device = device(i);
            own.bytes = node(i).alloc_bytes;
        }
        own.last_use = std::max(own.last_use, i);
    }

    void use(const Ref& source, int reader, const Stage& stage) {
        if (source.kind == Ref::Kind::Input) return use_input(source.index, reader);
        if (source.kind == Ref::Kind::Weight) return use_weight(source.index, reader);
        if (source.kind != Ref::Kind::Node) return;
        const int root = root_node(source.index);
        const bool crosses = device(source.index) != device(reader);
        if (crosses) {
            Value& copy = value(copy_of(source.index));
            copy.device = device(reader);
            copy.bytes = node(source.index).alloc_bytes;
            copy.last_use = std::max(copy.last_use, reader);
        }
        if (root < 0) return;
        // A copy is made before the reader's stage begins; until then the original stays.
        const int until = crosses ? stage.node_begin : reader;
        value(root).last_use = std::max(value(root).last_use, until);
    }

    void use_input(int input, int reader) {
        const Bytes bytes = graph_.inputs[static_cast<std::size_t>(input)].alloc_bytes;
        Value& host = value(host_input(input));
        host.device = Device::Cpu;
        host.bytes = bytes;
        host.stays = true;
        if (device(reader) != Device::Gpu) return;
        Value& copy = value(gpu_input(input));
        copy.device = Device::Gpu;
        copy.bytes = bytes;
        copy.last_use = std::max(copy.last_use, reader);
    }

    // Only stock's op-offload brings a CPU weight to a GPU op; our own streams go through slots.
    void use_weight(int weight, int reader) {
        const auto index = static_cast<std::size_t>(weight);
        const bool uploads = offload_ == OpOffload::Stock && device(reader) == Device::Gpu &&
                             placement_.weights[index] == Lane::Cpu;
        if (!uploads) return;
        Value& copy = value(uploaded(weight));
        copy.device = Device::Gpu;
        copy.bytes = inventory_.weights[index].alloc_bytes;
        copy.last_use = std::max(copy.last_use, reader);
    }

    void list_deaths() {
        for (int v = 0; v < static_cast<int>(values_.size()); ++v) {
            if (value(v).last_use < 0 || value(v).stays) continue;
            int& head = dying_[static_cast<std::size_t>(value(v).last_use)];
            value(v).next_dying = head;
            head = v;
        }
    }

    void take(int v) {
        Value& taken = value(v);
        if (taken.offset != kNoOffset || (taken.last_use < 0 && !taken.stays)) return;
        taken.offset = list(taken.device).take(taken.bytes);
    }

    void place_stage(const Stage& stage) {
        for (int i = stage.node_begin; i < stage.node_end; ++i) {
            if (!node(i).is_view) take_operand_copies(i);
        }
        for (int i = stage.node_begin; i < stage.node_end; ++i) {
            if (!node(i).is_view) place_node(i);
        }
    }

    // Copies from the other side exist from the start of the stage.
    void take_operand_copies(int i) {
        for (const Ref& source : node(i).sources) {
            const bool gpu = device(i) == Device::Gpu;
            if (source.kind == Ref::Kind::Input && gpu) take(gpu_input(source.index));
            if (source.kind == Ref::Kind::Node && device(source.index) != device(i)) {
                take(copy_of(source.index));
            }
        }
    }

    void place_node(int i) {
        for (const Ref& source : node(i).sources) {
            if (source.kind == Ref::Kind::Weight) take(uploaded(source.index));
        }
        if (!node(i).has_storage && !take_over_operand(i)) take(i);
        for (int v = dying_[static_cast<std::size_t>(i)]; v >= 0; v = value(v).next_dying) {
            if (value(v).offset == kNoOffset || value(v).bytes == 0) continue;
            list(value(v).device).give(value(v).offset, value(v).bytes);
        }
    }

    bool take_over_operand(int i) {
        if (!may_overwrite_operand(node(i).op)) return false;
        for (const Ref& source : node(i).sources) {
            if (source.kind != Ref::Kind::Node) continue;
            const int v = dying_operand(source.index, i);
            if (v < 0) continue;
            // The operand's block lives on as the result's.
            value(i).offset = value(v).offset;
            value(i).bytes = value(v).bytes;
            value(v).bytes = 0;
            return true;
        }
        return false;
    }

    // The value behind `operand` if it dies at node i, is laid out like it and is read only once.
    int dying_operand(int operand, int i) const {
        const bool crossed = device(operand) != device(i);
        const int root = crossed ? operand : root_node(operand);
        if (root < 0 || !same_layout(node(operand), node(i))) return -1;
        const int v = crossed ? copy_of(operand) : root;
        const Value& candidate = value(v);
        const bool whole = crossed || node(root).bytes == node(operand).bytes;
        const bool free_after = candidate.last_use == i && !candidate.stays && candidate.bytes > 0;
        if (!whole || !free_after || candidate.device != device(i)) return -1;
        return reads_once(root, i, crossed) ? v : -1;
    }

    bool reads_once(int root, int i, bool crossed) const {
        int reads = 0;
        for (const Ref& source : node(i).sources) {
            if (source.kind != Ref::Kind::Node) continue;
            const int other = crossed ? source.index : root_node(source.index);
            reads += other == root ? 1 : 0;
        }
        return reads == 1;
    }

    ScratchLayout layout() const {
        ScratchLayout layout;
        for (const Device target : {Device::Gpu, Device::Cpu}) {
            DeviceScratch& out = target == Device::Gpu ? layout.gpu : layout.cpu;
            fill(out, target);
            out.peak = lists_[static_cast<std::size_t>(target)].peak();
        }
        return layout;
    }

    void fill(DeviceScratch& out, Device target) const {
        const auto at = [&](int v) {
            return value(v).device == target ? value(v).offset : kNoOffset;
        };
        for (int i = 0; i < n_nodes_; ++i) {
            out.nodes.push_back(at(i) != kNoOffset ? at(i) : at(copy_of(i)));
        }
        for (int i = 0; i < n_inputs_; ++i) {
            out.inputs.push_back(at(target == Device::Gpu ? gpu_input(i) : host_input(i)));
        }
        for (int w = 0; w < static_cast<int>(inventory_.weights.size()); ++w) {
            out.weights.push_back(at(uploaded(w)));
        }
    }

    const Inventory& inventory_;
    const Graph& graph_;
    const Placement& placement_;
    const StageCut& cut_;
    OpOffload offload_;
    int n_nodes_;
    int n_inputs_;
    std::vector<Value> values_;
    std::vector<int> dying_;  // first value of the list that dies after each node
    std::array<FreeList, 2> lists_;
};

}  // namespace

ScratchLayout layout_scratch(const Inventory& inventory, const Graph& graph,
                             const Placement& placement, const StageCut& cut, OpOffload offload) {
    return ScratchBuilder(inventory, graph, placement, cut, offload).run();
}

}  // namespace pshard
