// Moves weights and states at a plan switch. In: where each has to lie (TierArena), where it lies
// now, and the masters in host memory. Out: all of it moved, and how many bytes crossed the link.
//
//   1. states that leave their places    arena -> master      all of them, before anything arrives
//   2. weights that are elsewhere now    master -> arena      their old places need no copy back
//   3. states that arrive                master -> arena, or zeroes without a copy
//
// Behind each quantized tensor that comes, its padding is set to zero: another plan's bytes lie
// there.
//
// Places of the two plans overlap: what step 1 has not saved, steps 2 and 3 overwrite. So the link
// is finished between 1 and 2. Places of one plan never overlap, so the order within a step is
// free.
//
// A state that llama.cpp has cleared, and no graph has written since, is known to be zero: neither
// its bytes nor its zeroes cross the link.
//
// The trap: a state may have lost its context, and so its tensor. Its place is then left empty, and
// counts as empty, so that the next context's state, which takes the same index, is brought.
#include "runtime/residency.h"

#include <ggml-backend-impl.h>

#include "runtime/padding.h"

namespace pshard {
namespace {

Bytes offset_at(const std::vector<Bytes>& offsets, std::size_t index) {
    return index < offsets.size() ? offsets[index] : kNoOffset;
}

// Zeroes behind a tensor, in the link's order: the device's own init_tensor clears them in an order
// of its own, which nobody waits for.
void clear_padding(const ggml_tensor& there, Staging& link) {
    ggml_backend_buffer_type_t type = ggml_backend_buffer_get_type(there.buffer);
    const Bytes padding = padding_of(there, ggml_backend_buft_get_alloc_size(type, &there));
    if (padding == 0) return;
    ggml_tensor behind = there;
    behind.type = GGML_TYPE_I8;
    behind.ne[0] = static_cast<std::int64_t>(padding);
    behind.nb[0] = 1;
    for (int i = 1; i < GGML_MAX_DIMS; ++i) {
        behind.ne[i] = 1;
        behind.nb[i] = padding;
    }
    behind.data = static_cast<std::byte*>(there.data) + ggml_nbytes(&there);
    link.upload(behind, kZeroes.data(), 0, padding);
}

}  // namespace

ggml_tensor placed(const ggml_tensor& tensor, ggml_backend_buffer_t arena, Bytes offset) {
    ggml_tensor there = tensor;
    there.view_src = nullptr;
    there.view_offs = 0;
    there.extra = nullptr;
    there.buffer = arena;
    there.data = static_cast<std::byte*>(ggml_backend_buffer_get_base(arena)) + offset +
                 (tensor.view_src != nullptr ? tensor.view_offs : 0);
    return there;
}

Bytes Residency::home(int state) const {
    return offset_at(states_, static_cast<std::size_t>(state));
}

void Residency::drop_state(int state) {
    const auto index = static_cast<std::size_t>(state);
    if (index < states_.size()) states_[index] = kNoOffset;
    zero_.erase(state);
}

Bytes Residency::go_to(const TierArena& to,
                       const Model& model,
                       ggml_backend_buffer_t arena,
                       Staging& link,
                       const OnProgress& on_progress) {
    Bytes moved = 0;
    std::vector<bool> comes(to.states.size());
    for (std::size_t i = 0; i < to.states.size(); ++i) {
        const Bytes from = offset_at(states_, i);
        const ggml_tensor* state = model.state(static_cast<int>(i));
        comes[i] = to.states[i] != from && to.states[i] != kNoOffset && state != nullptr;
        const bool leaves = from != to.states[i] && from != kNoOffset && state != nullptr;
        if (!leaves || zero_.contains(static_cast<int>(i))) continue;
        const ggml_tensor there = placed(*state, arena, from);
        link.download(there, state->data, 0, ggml_nbytes(state));
        moved += ggml_nbytes(state);
    }
    link.finish();
    for (std::size_t i = 0; i < to.weights.size(); ++i) {
        if (to.weights[i] == kNoOffset || to.weights[i] == offset_at(weights_, i)) continue;
        const ggml_tensor* weight = model.weight(static_cast<int>(i));
        ggml_tensor there = placed(*weight, arena, to.weights[i]);
        link.upload(there, weight->data, 0, ggml_nbytes(weight));
        clear_padding(there, link);
        moved += ggml_nbytes(weight);
        if (on_progress) on_progress(i + 1, to.weights.size());
    }
    for (std::size_t i = 0; i < to.states.size(); ++i) {
        if (!comes[i]) continue;
        const ggml_tensor* state = model.state(static_cast<int>(i));
        ggml_tensor there = placed(*state, arena, to.states[i]);
        if (zero_.contains(static_cast<int>(i)) && arena->iface.memset_tensor != nullptr) {
            ggml_backend_tensor_memset(&there, 0, 0, ggml_nbytes(state));
        } else {
            link.upload(there, state->data, 0, ggml_nbytes(state));
            moved += ggml_nbytes(state);
        }
        clear_padding(there, link);
    }
    link.finish();
    weights_ = to.weights;
    states_ = to.states;
    for (std::size_t i = 0; i < states_.size(); ++i) {
        const bool gone = model.state(static_cast<int>(i)) == nullptr;
        if (gone) states_[i] = kNoOffset;  // the next context's state must be brought
    }
    return moved;
}

}  // namespace pshard
