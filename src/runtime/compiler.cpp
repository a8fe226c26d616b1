// compile() turns a graph and its plan into the ggml calls of each step.
//
// In: llama.cpp's graph; the same graph as an inventory's, whose sources are weights, states and
// inputs; its cut into stages and stream groups; the offsets of the arena and of the scratch. Out:
// a Program, which can run each time that the graph comes again.
//
//   stage     its nodes as shadows (shadows.h) in a ggml graph of their own, and what has to be
//             copied from the other device before: inputs for the GPU, values that cross
//   group     what a Load copies: whole weights, or a stack of experts with the ids that choose
//             among them; the part of a state that is read; zeroes behind quantized rows. What a
//             Store copies: the rows of a state that the graph writes
//   outlets   values that outlive the pass, which llama.cpp may read later, or at once
//
// A value crosses to a device once in a pass. A graph that needs what the plan has no place for is
// refused, and the Error names it: nothing is ever computed at a guessed address.
//
// The traps. Kernels read past the last row of a quantized tensor, and what lies there must be
// numbers. Fused kernels are found by the run of nodes and by how often each node is read: so views
// stay in the run, those of weights and states too, and the counts are those of the whole graph.
// CUDA looks for the next node of a run without asking whether there is one: so empty nodes stand
// behind the last. A device that captures graphs replays them by uid, addresses and all: so each
// stage has a uid of its own.
//
// check_devices() refuses a second GPU and a slot that keeps what was loaded: a Bring knows two
// devices, Memories has one arena, and no Load asks what its slot holds already.
#include <fmt/format.h>
#include <ggml-backend-impl.h>
#include <ggml-impl.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "runtime/padding.h"
#include "runtime/program.h"
#include "runtime/state_rows.h"

namespace pshard {
namespace {

// Nodes behind a graph's last that a search for runs may look at: its longest pattern.
constexpr std::size_t kNodesBehind = 16;
const ggml_tensor kEmptyNode{};

class Compiler {
public:
    Compiler(const PlacedGraph& graph, const Memories& memories)
        : graph_(graph), shadows_(graph, memories), program_(std::make_unique<Program>()) {}

    Status run() {
        if (Status known = check_devices(); !known) return known;
        begin_hash();
        for (const Stage& stage : graph_.lowered.cut.stages) {
            if (Status added = add_stage(stage); !added) return added;
        }
        for (const StreamGroup& group : graph_.lowered.cut.groups) add_group(group);
        if (Status added = add_outlets(); !added) return added;
        if (!graph_.lowered.streamable) return graph_.lowered.streamable;
        program_->schedule = graph_.lowered.schedule;
        program_->cut = graph_.lowered.cut;
        finish_graphs();
        return Done{};
    }

    std::unique_ptr<Program> take() {
        program_->tensors = shadows_.take_tensors();
        program_->weights_buffer = shadows_.take_weights_buffer();
        return std::move(program_);
    }

private:
    // Refuses what plans may say already and no executor does yet.
    Status check_devices() const {
        const StageCut& cut = graph_.lowered.cut;
        if (cut.n_gpus > 1) {
            return Error{fmt::format("the plan is for {} GPUs; one is run so far", cut.n_gpus), {}};
        }
        const auto keeps = [](const StreamGroup& group) { return group.slot.keeps(); };
        if (std::none_of(cut.groups.begin(), cut.groups.end(), keeps)) return Done{};
        return Error{"the plan has a slot that keeps what was loaded; none is run so far", {}};
    }

    const Node& node(int i) const { return graph_.read.graph.nodes[static_cast<std::size_t>(i)]; }

    ggml_tensor* source_node(int i) const { return graph_.source.nodes[i]; }

    Device device(int i) const { return graph_.lowered.cut.devices[static_cast<std::size_t>(i)]; }

    const Inventory& inventory() const { return graph_.model.inventory(); }

    // ---- stages ----

    Status add_stage(const Stage& stage) {
        StageWork work;
        work.device = stage.device;
        for (int i = stage.node_begin; i < stage.node_end; ++i) {
            if (device(i) != stage.device) continue;  // a view on another device
            if (node(i).is_view) {
                add_view(i, work);
                continue;
            }
            if (Status brought = bring_sources(i, work); !brought) return brought;
            Result<ggml_tensor*> shadow = shadows_.computed(source_node(i), stage.device);
            if (!shadow) return shadow.error();
            add_node(i, shadow.value(), work);
        }
        program_->stages.push_back(std::move(work));
        return Done{};
    }

    // Adds a view, if what it shows lies on the device. It computes nothing, but fused kernels are
    // found by the run of nodes that it is in.
    void add_view(int i, StageWork& work) {
        if (source_node(i)->view_src == nullptr) return;  // a leaf, as a graph of one node may have
        Result<ggml_tensor*> shadow = shadows_.computed(source_node(i), work.device);
        if (shadow) add_node(i, shadow.value(), work);
    }

    void add_node(int i, ggml_tensor* shadow, StageWork& work) {
        work.nodes.push_back(shadow);
        ggml_hash_set& visited = *program_->visited;
        const std::size_t slot = ggml_hash_find_or_insert(&visited, shadow);
        program_->use_counts[slot] = reads_of(source_node(i));
    }

    // How often a tensor is read: llama.cpp has counted over the whole graph; if it has not, many
    // times.
    std::int32_t reads_of(const ggml_tensor* tensor) const {
        constexpr std::int32_t kMany = 1000;
        return reads_at_build(graph_.source, tensor).value_or(kMany);
    }

    Status bring_sources(int i, StageWork& work) {
        const ggml_tensor* reader = source_node(i);
        for (const ggml_tensor* source : reader->src) {
            if (source == nullptr) continue;
            if (Status brought = bring(source, work); !brought) return brought;
        }
        const bool fills_input = node(i).has_storage && node(i).storage.kind == Ref::Kind::Input;
        return fills_input ? bring(reader->view_src, work) : Status(Done{});
    }

    Status bring(const ggml_tensor* tensor, StageWork& work) {
        const std::optional<Ref> ref = shadows_.ref_of(tensor);
        if (!ref) return Error{fmt::format("'{}' is not known", tensor->name), {}};
        if (ref->kind == Ref::Kind::State) {
            const bool on_gpu = shadows_.spot_of(tensor, Device::Gpu).data != nullptr;
            if (on_gpu == (work.device == Device::Gpu)) return Done{};
            return Error{"a part of a graph looks into a state that lies elsewhere", {}};
        }
        const bool input = ref->kind == Ref::Kind::Input && work.device == Device::Gpu;
        const bool crosses = ref->kind == Ref::Kind::Node && device(ref->index) != work.device;
        if (!input && !crosses) return Done{};
        if (!brought_.insert(tensor).second) return Done{};
        Result<ggml_tensor*> gpu = shadows_.of(tensor, Device::Gpu);
        if (!gpu) return gpu.error();
        Result<ggml_tensor*> cpu = shadows_.of(tensor, Device::Cpu);
        if (!cpu) return cpu.error();
        Bring value;
        value.to_device = work.device == Device::Gpu;
        value.is_input = input;
        value.span = {shadows_.raw_of(*gpu.value()),
                      static_cast<std::byte*>(cpu.value()->data),
                      ggml_nbytes(tensor)};
        work.brings.push_back(value);
        return Done{};
    }

    // ---- groups ----

    void add_group(const StreamGroup& group) {
        GroupWork work;
        const Bytes bytes = group_bytes(inventory(), group);
        const Bytes begin = group_offset(graph_.arena, group, bytes);
        work.slot = shadows_.raw(begin, bytes);
        for (const int w : group.weights) add_load(w, group, begin, work);
        for (const int s : group.states) add_state(s, begin, work);
        sort_pieces(work.loads);
        program_->groups.push_back(std::move(work));
    }

    void add_load(int index, const StreamGroup& group, Bytes slot_begin, GroupWork& work) {
        const Weight& weight = inventory().weights[static_cast<std::size_t>(index)];
        const ggml_tensor* master = graph_.model.weight(index);
        const SlotPiece piece{shadows_.slot_of_weight(index) - slot_begin,
                              weight.bytes,
                              static_cast<std::byte*>(master->data)};
        ggml_tensor* ids = group.on_demand ? ids_of(master) : nullptr;
        if (ids != nullptr) {
            work.expert_loads.push_back({piece, master->ne[2], ids});
        } else {
            work.loads.push_back(piece);
        }
        add_zeros(*master, piece.offset, weight.alloc_bytes, work);
    }

    // Zeroes behind what lies at `offset` of the slot.
    static void add_zeros(const ggml_tensor& master,
                          Bytes offset,
                          Bytes alloc_bytes,
                          GroupWork& work) {
        const Bytes padding = padding_of(master, alloc_bytes);
        if (padding > 0) work.loads.push_back({offset + ggml_nbytes(&master), padding, nullptr});
    }

    // The ids that choose among the experts of a weight, if a single node reads the weight and the
    // ids are made on the GPU; else nullptr, and all experts are uploaded.
    ggml_tensor* ids_of(const ggml_tensor* weight) {
        ggml_tensor* found = nullptr;
        for (int i = 0; i < graph_.source.n_nodes; ++i) {
            const ggml_tensor* reader = source_node(i);
            const bool reads = std::find(std::begin(reader->src), std::end(reader->src), weight) !=
                               std::end(reader->src);
            if (!reads) continue;
            if (reader->op != GGML_OP_MUL_MAT_ID || found != nullptr) return nullptr;
            const std::optional<Ref> ref = shadows_.ref_of(reader->src[2]);
            const bool on_gpu =
                ref && ref->kind == Ref::Kind::Node && device(ref->index) == Device::Gpu;
            Result<ggml_tensor*> ids = shadows_.of(reader->src[2], Device::Gpu);
            if (!on_gpu || !ids) return nullptr;
            found = ids.value();
        }
        return found;
    }

    void add_state(int index, Bytes slot_begin, GroupWork& work) {
        const State& state = inventory().states[static_cast<std::size_t>(index)];
        const ggml_tensor* master = graph_.model.state(index);
        if (master == nullptr) return;  // its context is gone
        const Bytes offset = shadows_.slot_of_state(index) - slot_begin;
        add_zeros(*master, offset, state.alloc_bytes, work);
        auto* host = static_cast<std::byte*>(master->data);
        const StateAccess access = state_access(graph_.source, master);
        const Bytes read = access.read_end - access.read_begin;
        if (read > 0) {
            work.loads.push_back({offset + access.read_begin, read, host + access.read_begin});
        }
        for (const WrittenRows& rows : access.writes) {
            work.stores.push_back({{offset, state.bytes, host}, rows});
        }
    }

    // ---- outlets ----

    Status add_outlets() {
        for (int i = 0; i < graph_.source.n_nodes; ++i) {
            const Node& made = node(i);
            const bool fills_input =
                made.has_storage && !made.is_view && made.storage.kind == Ref::Kind::Input;
            const bool elsewhere =
                made.is_view && made.has_storage && made.storage.kind != Ref::Kind::Node;
            if (elsewhere || (!made.is_output && !fills_input)) continue;
            const ggml_tensor* tensor = source_node(i);
            const ggml_tensor* root = tensor->view_src != nullptr ? tensor->view_src : tensor;
            if (Status added = add_outlet(root, tensor); !added) return added;
        }
        return Done{};
    }

    Status add_outlet(const ggml_tensor* root, const ggml_tensor* maker) {
        const std::optional<Ref> ref = shadows_.ref_of(root);
        const bool lasts = ref && (ref->kind == Ref::Kind::Weight || ref->kind == Ref::Kind::State);
        if (!ref || lasts) return Done{};
        const bool is_node = ref->kind == Ref::Kind::Node;
        const std::optional<Ref> made_by = shadows_.ref_of(maker);
        if (!is_node && node(made_by->index).is_view) return Done{};
        const Device where = device(is_node ? ref->index : made_by->index);
        if (!let_out_.insert(root).second) return Done{};
        Result<ggml_tensor*> shadow = shadows_.of(root, where);
        if (!shadow) return shadow.error();
        Outlet outlet;
        outlet.root = root;
        outlet.at_once = !is_node || (maker->flags & GGML_TENSOR_FLAG_OUTPUT) == 0 ||
                         root->buffer->usage != GGML_BACKEND_BUFFER_USAGE_COMPUTE;
        outlet.span.bytes = ggml_nbytes(root);
        outlet.span.host = static_cast<std::byte*>(root->data);
        if (where == Device::Gpu) {
            outlet.span.device = shadows_.raw_of(*shadow.value());
        } else {
            outlet.host_value = static_cast<std::byte*>(shadow.value()->data);
        }
        program_->outlets.push_back(outlet);
        return Done{};
    }

    // ---- graphs ----

    void begin_hash() {
        const auto n_shadows = static_cast<std::size_t>(graph_.source.n_nodes);
        program_->visited.reset(new ggml_hash_set(ggml_hash_set_new(2 * n_shadows + 64)));
        program_->use_counts.assign(program_->visited->size, 0);
    }

    // Finishes the stages' graphs. Each gets a uid of its own, by which a device that captures
    // graphs replays them, addresses and all.
    void finish_graphs() {
        for (StageWork& work : program_->stages) {
            work.graph.n_nodes = static_cast<int>(work.nodes.size());
            if (work.nodes.empty()) continue;
            work.nodes.insert(
                work.nodes.end(), kNodesBehind, const_cast<ggml_tensor*>(&kEmptyNode));
            work.graph.nodes = work.nodes.data();
            work.graph.use_counts = program_->use_counts.data();
            work.graph.visited_hash_set = *program_->visited;
            work.graph.order = GGML_CGRAPH_EVAL_ORDER_LEFT_TO_RIGHT;
            work.graph.uid = ggml_graph_next_uid();
        }
    }

    const PlacedGraph& graph_;
    Shadows shadows_;
    std::unique_ptr<Program> program_;
    std::unordered_set<const ggml_tensor*> brought_;
    std::unordered_set<const ggml_tensor*> let_out_;
};

}  // namespace

Result<std::unique_ptr<Program>> compile(const PlacedGraph& graph, const Memories& memories) {
    Compiler compiler(graph, memories);
    if (Status compiled = compiler.run(); !compiled) return compiled.error();
    return compiler.take();
}

}  // namespace pshard
