// Finds the places of shadows. In: a tensor of llama.cpp's and a device. Out: a copy of the
// tensor whose address, buffer and sources are the plan's.
//
//   what the tensor is       on the GPU                            on the CPU
//   weight                   its home in the arena, or its slot    its master, or a repacked copy
//   state                    its home in the arena, or its slot    its master (page_locks.h says
//   where) input                    scratch in the arena                  llama.cpp's own memory
//   node                     scratch in the arena                  host scratch
//   view of one of these     at its offset from the root's place
//
// Where a value crosses from one device to the other, the reading device has bytes of its own: a
// shadow without an op, contiguous, which a Bring fills. The same holds for inputs, as an input may
// be a view of what an earlier graph made. All other views keep their root, so that ggml sees which
// memory two tensors share.
//
// The traps. A view may begin one past the end of its root: places go by root, never by address. A
// view of a state that another part of the graph has made is read where the state is. A buffer of
// the right kind has to stand in each shadow, as backends ask the buffer what memory it is, and
// whether it is of weights: ggml fuses a view of a weight with its reader, and no other view whose
// root is outside of the run.
#include "runtime/shadows.h"

#include <fmt/format.h>
#include <ggml-impl.h>

#include <algorithm>
#include <cstring>
#include <functional>

#include "runtime/host_buffer.h"

namespace pshard {
namespace {

ggml_tensor bytes_tensor(ggml_backend_buffer_t buffer, void* data, Bytes bytes) {
    ggml_tensor tensor{};
    tensor.type = GGML_TYPE_I8;
    tensor.ne[0] = static_cast<std::int64_t>(bytes);
    tensor.ne[1] = tensor.ne[2] = tensor.ne[3] = 1;
    tensor.nb[0] = 1;
    tensor.nb[1] = tensor.nb[2] = tensor.nb[3] = bytes;
    tensor.buffer = buffer;
    tensor.data = data;
    std::strncpy(tensor.name, "pshard", sizeof(tensor.name) - 1);
    return tensor;
}

}  // namespace

Shadows::Shadows(const PlacedGraph& graph, const Memories& memories)
    : graph_(graph),
      memories_(memories),
      weight_slots_(graph.model.inventory().weights.size(), kNoOffset),
      state_slots_(graph.model.inventory().states.size(), kNoOffset) {
    for (std::size_t i = 0; i < graph.read.inputs.size(); ++i) {
        refs_.emplace(graph.read.inputs[i], Ref{Ref::Kind::Input, static_cast<int>(i)});
    }
    for (int i = 0; i < graph.source.n_nodes; ++i) {
        refs_.emplace(graph.source.nodes[i], Ref{Ref::Kind::Node, i});
    }
    if (memories.arena != nullptr) {
        weights_ = std::make_unique<ggml_backend_buffer>(*memories.arena);
        weights_->usage = GGML_BACKEND_BUFFER_USAGE_WEIGHTS;
    }
    place_groups();
}

// As their masters lie in host memory: neighbours go in one copy then.
std::vector<int> Shadows::as_in_memory(std::vector<int> weights) const {
    std::sort(weights.begin(), weights.end(), [&](int a, int b) {
        const std::less<const void*> before;
        return before(graph_.model.weight(a)->data, graph_.model.weight(b)->data);
    });
    return weights;
}

void Shadows::place_groups() {
    const Inventory& inventory = graph_.model.inventory();
    for (const StreamGroup& group : graph_.lowered.cut.groups) {
        Bytes offset = group_offset(graph_.arena, group, group_bytes(inventory, group));
        for (const int w : as_in_memory(group.weights)) {
            const auto i = static_cast<std::size_t>(w);
            weight_slots_[i] = offset;
            offset += inventory.weights[i].alloc_bytes;
        }
        for (const int s : group.states) {
            const auto i = static_cast<std::size_t>(s);
            state_slots_[i] = offset;
            offset += inventory.states[i].alloc_bytes;
        }
    }
}

std::optional<Ref> Shadows::ref_of(const ggml_tensor* tensor) const {
    if (const Ref* known = graph_.model.find(tensor)) return *known;
    const auto found = refs_.find(tensor);
    if (found != refs_.end()) return found->second;
    // Another part of the graph may have made the view: it is read where its state is.
    const Ref* root = graph_.model.find(&root_of(*tensor));
    if (root == nullptr || root->kind != Ref::Kind::State) return std::nullopt;
    return *root;
}

// Whether a shadow has bytes of its own: the copy of a node of the other device has, and so has an
// input, which may be a view of what an earlier graph made.
bool Shadows::stands_alone(const ggml_tensor* tensor, Device device) const {
    const std::optional<Ref> ref = ref_of(tensor);
    if (!ref) return false;
    const bool crosses = ref->kind == Ref::Kind::Node &&
                         graph_.lowered.cut.devices[static_cast<std::size_t>(ref->index)] != device;
    return crosses || ref->kind == Ref::Kind::Input;
}

Spot Shadows::in_arena(Bytes offset) const {
    if (offset == kNoOffset || memories_.arena == nullptr) return {};
    auto* base = static_cast<std::byte*>(ggml_backend_buffer_get_base(memories_.arena));
    return {memories_.arena, base + offset};
}

Spot Shadows::in_scratch(Device device, Bytes offset) const {
    if (offset == kNoOffset) return {};
    if (device == Device::Gpu) return in_arena(graph_.arena.scratch_begin + offset);
    auto* base = static_cast<std::byte*>(ggml_backend_buffer_get_base(memories_.scratch));
    return {memories_.scratch, base + offset};
}

Spot Shadows::in_host(const ggml_tensor* tensor) const {
    return {memories_.scratch, memories_.locks.whole(tensor->data, ggml_nbytes(tensor))};
}

Spot Shadows::gpu_spot(const Ref& root) const {
    const auto i = static_cast<std::size_t>(root.index);
    switch (root.kind) {
        case Ref::Kind::Weight: {
            const bool at_home = graph_.arena.weights[i] != kNoOffset;
            const Spot spot = in_arena(at_home ? graph_.arena.weights[i] : weight_slots_[i]);
            return spot.data == nullptr ? spot : Spot{weights_.get(), spot.data};
        }
        case Ref::Kind::State:
            return in_arena(graph_.arena.states[i] != kNoOffset ? graph_.arena.states[i]
                                                                : state_slots_[i]);
        case Ref::Kind::Input:
            return in_scratch(Device::Gpu, graph_.lowered.scratch.gpus[0].inputs[i]);
        case Ref::Kind::Node:
            break;
    }
    return in_scratch(Device::Gpu, graph_.lowered.scratch.gpus[0].nodes[i]);
}

Spot Shadows::cpu_spot(const Ref& root) const {
    switch (root.kind) {
        case Ref::Kind::Weight:
            return in_host(graph_.model.weight(root.index));
        case Ref::Kind::State:
            return in_host(graph_.model.state(root.index));
        case Ref::Kind::Input:
            return in_host(graph_.read.inputs[static_cast<std::size_t>(root.index)]);
        case Ref::Kind::Node:
            break;
    }
    return in_scratch(Device::Cpu,
                      graph_.lowered.scratch.cpu.nodes[static_cast<std::size_t>(root.index)]);
}

Spot Shadows::spot_of(const ggml_tensor* tensor, Device device) const {
    const ggml_tensor* root = stands_alone(tensor, device) ? tensor : &root_of(*tensor);
    const std::optional<Ref> ref = ref_of(root);
    if (!ref) return {};
    Spot spot = device == Device::Gpu ? gpu_spot(*ref) : cpu_spot(*ref);
    if (spot.data != nullptr && root != tensor) spot.data += tensor->view_offs;
    return spot;
}

Result<ggml_tensor*> Shadows::of(const ggml_tensor* tensor, Device device) {
    auto& made = made_[device.index()];
    if (const auto found = made.find(tensor); found != made.end()) return found->second;
    const Spot spot = spot_of(tensor, device);
    if (spot.data == nullptr) {
        return Error{fmt::format("the plan gives '{}' no place on the {}",
                                 tensor->name,
                                 device == Device::Gpu ? "GPU" : "CPU"),
                     {}};
    }
    tensors_.push_back(*tensor);
    ggml_tensor* shadow = &tensors_.back();
    made.emplace(tensor, shadow);
    std::fill(std::begin(shadow->src), std::end(shadow->src), nullptr);
    shadow->extra = nullptr;
    shadow->buffer = spot.buffer;
    shadow->data = spot.data;
    if (stands_alone(tensor, device)) {
        shadow->op = GGML_OP_NONE;
        shadow->view_src = nullptr;
        shadow->view_offs = 0;
    } else if (tensor->view_src != nullptr) {
        Result<ggml_tensor*> root = of(tensor->view_src, device);
        if (!root) return root.error();
        shadow->view_src = root.value();
    }
    return shadow;
}

Result<ggml_tensor*> Shadows::computed(const ggml_tensor* node, Device device) {
    Result<ggml_tensor*> shadow = of(node, device);
    if (!shadow) return shadow;
    for (int i = 0; i < GGML_MAX_SRC; ++i) {
        const ggml_tensor* source = node->src[i];
        if (source == nullptr) continue;
        Result<ggml_tensor*> operand = of(source, device);
        if (!operand) return operand;
        shadow.value()->src[i] = operand.value();
    }
    const ggml_tensor* weight = node->src[0];
    const std::optional<Ref> first = weight != nullptr ? ref_of(weight) : std::nullopt;
    if (device == Device::Cpu && first && first->kind == Ref::Kind::Weight) {
        const ggml_tensor* better = memories_.cpu_weights.better(weight, *node);
        if (better != nullptr) shadow.value()->src[0] = const_cast<ggml_tensor*>(better);
    }
    return shadow;
}

ggml_tensor* Shadows::raw(Bytes offset, Bytes bytes) {
    tensors_.push_back(bytes_tensor(memories_.arena, in_arena(offset).data, bytes));
    return &tensors_.back();
}

ggml_tensor* Shadows::raw_of(const ggml_tensor& shadow) {
    tensors_.push_back(bytes_tensor(shadow.buffer, shadow.data, ggml_nbytes(&shadow)));
    return &tensors_.back();
}

}  // namespace pshard
