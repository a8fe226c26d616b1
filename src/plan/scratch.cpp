// Lays out the values between the ops of a graph: an address for each, on each device that needs
// it.
//
// In: a graph cut into stages. Out: for each device the offsets of node values, of their copies, of
// inputs and of weights that stock uploads for one op; and the peak, the bytes of the region.
//
// 1. Lives. Time is the index of the node. A value is born when its node is computed and dies with
//    the last node that reads it, or reads a view of it. A copy on another device is born with the
//    first node of the reader's stage, since all copies are made before a stage begins; the
//    original lives until then. Outputs, and inputs in host memory, live to the end.
// 2. Fused runs. A GPU may compute several nodes by one kernel, which reads the first node's inputs
//    while it writes the last one's result. They are looked for now.
// 3. In place. An op that ggml may compute in place takes over the block of an operand that dies
//    with it, if both are laid out alike and the op reads the block once. The block then lives on.
//    A norm that is rotated takes over nothing, as it is only fused then. After that, all that a
//    run reads lives to its end.
// 4. Packing. Blocks that live at the same time must not overlap (interval_packing.h).
//
//   node       0     1     2   | 3     4      nodes 3 and 4 are a stage of the CPU
//   a          [===========]                  born at 0, read by 1 and 2
//   b                [=========]              born at 1; 2 takes its block over; copied at 3
//   b's copy                     [=====]      in the CPU's region, read by 4
//
// The CPU's region and each GPU's are packed apart. Values are numbered so that with one GPU blocks
// of equal size come in the order in which they always came: the packing is stable in it, and
// offsets are part of what tests keep.
//
// Traps: a view has no block, so that its storage must live as long as it. A view of an input is
// copied as the view. What a run holds is held last: it is the block where the operand lies by
// then, which may be one that it took over.
#include "plan/scratch.h"

#include <algorithm>
#include <span>
#include <utility>

#include "plan/fused_runs.h"
#include "plan/graph_facts.h"

namespace pshard {
namespace {

bool same_layout(const Node& a, const Node& b) {
    return a.type == b.type && a.shape == b.shape && a.contiguous && b.contiguous;
}

// A value in scratch: from the node before which it must exist to the node after which nobody
// reads it.
struct Value {
    Device device = Device::Gpu;
    Bytes bytes = 0;
    int birth = -1;  // -1: not needed
    int last_use = -1;
    bool stays = false;  // lives to the end of the pass
    int owner = -1;      // the value whose block this one takes over; -1: it has its own
    Bytes offset = kNoOffset;
};

// Values are numbered: each node's own value, its copy on each other device, the copy of each input
// on each GPU, the input in host memory, each weight uploaded for one op to the first GPU.
class ScratchBuilder {
public:
    ScratchBuilder(const GraphFacts& facts, const CutGraph& placed)
        : facts_(facts),
          inventory_(placed.inventory),
          graph_(placed.graph),
          placement_(placed.placement),
          cut_(placed.cut),
          offload_(placed.offload),
          fused_(placed.fused),
          n_nodes_(static_cast<int>(graph_.nodes.size())),
          n_inputs_(static_cast<int>(graph_.inputs.size())),
          n_gpus_(cut_.n_gpus),
          values_(static_cast<std::size_t>((n_gpus_ + 1) * (n_nodes_ + n_inputs_)) +
                  inventory_.weights.size()),
          alignment_(inventory_.device.alignment) {}

    ScratchLayout run() {
        return regions([this](DeviceScratch& region, Device device) { lay_out(region, device); });
    }

    ScratchLayout peaks(PackingMemo& memo) {
        return regions([&](DeviceScratch& region, Device device) {
            region.peak = memo.end_of(blocks_on(device).blocks, n_nodes_);
        });
    }

private:
    struct DeviceBlocks {
        std::vector<Block> blocks;
        std::vector<int> of_value;  // by block
    };

    template <typename Fill>
    ScratchLayout regions(const Fill& fill_region) {
        find_lives();
        find_fused_runs();
        for (int i = 0; i < n_nodes_; ++i) {
            if (facts(i).in_place && !facts(i).is_view && !facts(i).has_storage) {
                take_over_operand(i);
            }
        }
        hold_for_fused_runs();
        ScratchLayout layout;
        layout.gpus.resize(static_cast<std::size_t>(n_gpus_));
        for (int g = 0; g < n_gpus_; ++g)
            fill_region(layout.gpus[static_cast<std::size_t>(g)], Device::gpu(g));
        fill_region(layout.cpu, Device::Cpu);
        return layout;
    }

    // The copy of a node's value on a device that is not its own.
    int copy_of(int node, Device where) const {
        const auto other = static_cast<int>(where.index(n_gpus_));
        const auto own = static_cast<int>(device(node).index(n_gpus_));
        return n_nodes_ * (1 + (other > own ? other - 1 : other)) + node;
    }

    int gpu_input(int input, Device gpu) const {
        return (n_gpus_ + 1) * n_nodes_ + gpu.number * n_inputs_ + input;
    }

    int host_input(int input) const {
        return (n_gpus_ + 1) * n_nodes_ + n_gpus_ * n_inputs_ + input;
    }

    int copied(int weight) const { return (n_gpus_ + 1) * (n_nodes_ + n_inputs_) + weight; }

    const Node& node(int i) const { return graph_.nodes[static_cast<std::size_t>(i)]; }

    const NodeFacts& facts(int i) const { return facts_.nodes()[static_cast<std::size_t>(i)]; }

    std::span<const Ref> sources(int i) const {
        return facts_.sources(static_cast<std::size_t>(i));
    }

    Device device(int i) const { return cut_.devices[static_cast<std::size_t>(i)]; }

    Value& value(int v) { return values_[static_cast<std::size_t>(v)]; }

    const Value& value(int v) const { return values_[static_cast<std::size_t>(v)]; }

    // What node i takes on another device; on its own device a view takes nothing.
    Bytes copy_bytes(int i) const {
        return node(i).has_storage ? node(i).bytes : node(i).alloc_bytes;
    }

    // The node whose own memory holds node i; -1 if that is a state, a weight or an input.
    int root_node(int i) const { return facts(i).has_storage ? facts(i).viewed : i; }

    void find_lives() {
        for (const Stage& stage : cut_.stages) {
            for (int i = stage.node_begin; i < stage.node_end; ++i) {
                if (facts(i).is_view) continue;
                define(i);
                for (const Ref& source : sources(i)) use(source, i, stage);
                const bool fills_input =
                    facts(i).has_storage && node(i).storage.kind == Ref::Kind::Input;
                if (fills_input) use_input(node(i).storage.index, i, stage);
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
        if (root == i) live(i, device(i), node(i).alloc_bytes, i, i);
        if (root >= 0) value(root).last_use = std::max(value(root).last_use, i);
    }

    void live(int v, Device where, Bytes bytes, int birth, int last_use) {
        Value& living = value(v);
        if (living.birth < 0) {
            living.device = where;
            living.bytes = align_up(bytes, alignment_);
            living.birth = birth;
        }
        living.last_use = std::max(living.last_use, last_use);
    }

    void use(const Ref& source, int reader, const Stage& stage) {
        if (source.kind == Ref::Kind::Input) return use_input(source.index, reader, stage);
        if (source.kind == Ref::Kind::Weight) return use_weight(source.index, reader, stage);
        if (source.kind != Ref::Kind::Node) return;
        const int root = root_node(source.index);
        const bool crosses = device(source.index) != device(reader);
        // A copy is made before the reader's stage begins; until then the original stays.
        if (crosses) {
            live(copy_of(source.index, device(reader)),
                 device(reader),
                 copy_bytes(source.index),
                 stage.node_begin,
                 reader);
        }
        if (root < 0) return hold_input_of(source.index, reader);
        const int until = crosses ? stage.node_begin : reader;
        value(root).last_use = std::max(value(root).last_use, until);
    }

    void hold_input(int input, int reader) {
        const Bytes bytes = graph_.inputs[static_cast<std::size_t>(input)].alloc_bytes;
        live(host_input(input), Device::Cpu, bytes, 0, reader);
        value(host_input(input)).stays = true;
    }

    // Holds the input of a view: the view is on the CPU, where the host writes the input.
    void hold_input_of(int view, int reader) {
        const Ref& storage = node(view).storage;
        if (storage.kind == Ref::Kind::Input) hold_input(storage.index, reader);
    }

    void use_input(int input, int reader, const Stage& stage) {
        hold_input(input, reader);
        const Device where = device(reader);
        if (!where.is_gpu()) return;
        const Bytes bytes = graph_.inputs[static_cast<std::size_t>(input)].alloc_bytes;
        live(gpu_input(input, where), where, bytes, stage.node_begin, reader);
    }

    // Only stock copies weights from one side to the other: by op-offload to a GPU op, and back to
    // an op that the GPU does not support. Our own streams go through slots.
    void use_weight(int weight, int reader, const Stage& stage) {
        const auto index = static_cast<std::size_t>(weight);
        if (offload_ != OpOffload::Stock) return;
        const Bytes bytes = inventory_.weights[index].alloc_bytes;
        if (device(reader) == Device::Gpu && placement_.weights[index] == Lane::Cpu) {
            live(copied(weight), Device::Gpu, bytes, reader, reader);
        } else if (is_copied_back(node(reader), index, placement_)) {
            live(copied(weight), Device::Cpu, bytes, stage.node_begin, reader);
        }
    }

    void take_over_operand(int i) {
        if (begins_anew_[static_cast<std::size_t>(i)]) return;
        for (const Ref& source : sources(i)) {
            if (source.kind != Ref::Kind::Node) continue;
            const int v = dying_operand(source.index, i);
            if (v < 0) continue;
            // The operand's block lives on as the result's.
            value(i).owner = v;
            value(v).last_use = value(i).last_use;
            value(v).stays = value(i).stays;
            return;
        }
    }

    // The block behind `operand`, if the operand dies at node i, is laid out like node i, and node
    // i reads it only once; else -1.
    int dying_operand(int operand, int i) const {
        const bool crossed = device(operand) != device(i);
        const int root = crossed ? operand : root_node(operand);
        if (root < 0) return -1;
        const int v = owner_of(crossed ? copy_of(operand, device(i)) : root);
        const Value& block = value(v);
        const bool dies = block.last_use == i && !block.stays;
        if (!dies || block.device != device(i) || block.bytes < value(i).bytes) return -1;
        const bool whole = crossed || node(root).bytes == node(operand).bytes;
        const bool fits = whole && same_layout(node(operand), node(i));
        return fits && reads_once(root, i, crossed) ? v : -1;
    }

    int owner_of(int v) const {
        while (value(v).owner >= 0) v = value(v).owner;
        return v;
    }

    bool reads_once(int root, int i, bool crossed) const {
        int reads = 0;
        for (const Ref& source : sources(i)) {
            if (source.kind != Ref::Kind::Node) continue;
            const int other = crossed ? source.index : root_node(source.index);
            reads += other == root ? 1 : 0;
        }
        return reads == 1;
    }

    void find_fused_runs() {
        begins_anew_.assign(graph_.nodes.size(), false);
        for (const Stage& stage : cut_.stages) {
            if (!stage.device.is_gpu()) continue;
            for (FusedRun& run : fused_ ? fused_->of(stage) : fused_runs(graph_, stage)) {
                // In place it would be right too, but CUDA would not fuse it (docs/fusion.md).
                const bool is_rotated = node(run.last()).op == "ROPE";
                if (is_rotated) begins_anew_[static_cast<std::size_t>(run.nodes.front())] = true;
                runs_.push_back(std::move(run));
            }
        }
    }

    // Lets what a fused run reads live to the run's end, in the block where it lies by then.
    void hold_for_fused_runs() {
        for (const FusedRun& run : runs_) {
            for (const int reader : run.nodes) hold_operands(reader, run);
        }
    }

    void hold_operands(int reader, const FusedRun& run) {
        for (const Ref& source : sources(reader)) {
            const int v = value_on(device(reader), source);
            const bool made_here =
                std::find(run.nodes.begin(), run.nodes.end(), v) != run.nodes.end();
            if (v < 0 || made_here) continue;
            Value& block = value(owner_of(v));
            block.last_use = std::max(block.last_use, run.last());
        }
    }

    // -1: it is not in the GPU's scratch.
    int value_on(Device gpu, const Ref& source) const {
        if (source.kind == Ref::Kind::Input) return gpu_input(source.index, gpu);
        if (source.kind != Ref::Kind::Node) return -1;
        const bool crosses = device(source.index) != gpu;
        return crosses ? copy_of(source.index, gpu) : root_node(source.index);
    }

    void lay_out(DeviceScratch& out, Device target) {
        out.peak = pack(target);
        fill(out, target);
    }

    Bytes pack(Device target) {
        auto [blocks, of_value] = blocks_on(target);
        const Bytes peak = pack_intervals(blocks, n_nodes_).end;
        for (std::size_t b = 0; b < blocks.size(); ++b) {
            value(of_value[b]).offset = blocks[b].offset;
        }
        return peak;
    }

    DeviceBlocks blocks_on(Device target) const {
        DeviceBlocks found;
        for (int v = 0; v < static_cast<int>(values_.size()); ++v) {
            const Value& living = value(v);
            if (living.birth < 0 || living.owner >= 0 || living.device != target) continue;
            const int death = living.stays ? n_nodes_ - 1 : living.last_use;
            found.blocks.push_back({living.bytes, living.birth, death, 0});
            found.of_value.push_back(v);
        }
        return found;
    }

    void fill(DeviceScratch& out, Device target) const {
        const auto at = [&](int v) {
            const Value& block = value(owner_of(v));
            return value(v).birth >= 0 && block.device == target ? block.offset : kNoOffset;
        };
        for (int i = 0; i < n_nodes_; ++i) {
            out.nodes.push_back(at(device(i) == target ? i : copy_of(i, target)));
        }
        for (int i = 0; i < n_inputs_; ++i) {
            out.inputs.push_back(at(target.is_gpu() ? gpu_input(i, target) : host_input(i)));
        }
        for (int w = 0; w < static_cast<int>(inventory_.weights.size()); ++w) {
            out.weights.push_back(at(copied(w)));
        }
    }

    const GraphFacts& facts_;
    const Inventory& inventory_;
    const Graph& graph_;
    const Placement& placement_;
    const StageCut& cut_;
    OpOffload offload_;
    const FusedRuns* fused_;
    int n_nodes_;
    int n_inputs_;
    int n_gpus_;
    std::vector<Value> values_;
    std::vector<FusedRun> runs_;
    std::vector<bool> begins_anew_;  // by node: it takes no operand's block over
    Bytes alignment_;
};

}  // namespace

ScratchLayout layout_scratch(const CutGraph& placed) {
    const GraphFacts facts(placed.inventory, placed.graph);
    return ScratchBuilder(facts, placed).run();
}

ScratchLayout scratch_peaks(const CutGraph& placed, PackingMemo& memo) {
    return scratch_peaks(GraphFacts(placed.inventory, placed.graph), placed, memo);
}

ScratchLayout scratch_peaks(const GraphFacts& facts, const CutGraph& placed, PackingMemo& memo) {
    return ScratchBuilder(facts, placed).peaks(memo);
}

}  // namespace pshard
