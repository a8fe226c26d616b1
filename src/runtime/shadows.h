// Shadows: copies of llama.cpp's tensors that lie where the plan says.
//
// llama.cpp's addresses are names only. A shadow has the tensor's op, shape and parameters, the
// plan's address, and shadows for sources; the inner backends compute on shadows alone. A tensor
// has at most one shadow per device: its own value, or the copy of a value of the other device.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "plan/arena.h"
#include "plan/lowered.h"
#include "runtime/cpu_weights.h"
#include "runtime/host_buffer.h"
#include "runtime/model.h"
#include "runtime/page_locks.h"

struct ggml_cgraph;

namespace pshard {

// All that decides where a graph's tensors lie.
struct PlacedGraph {
    const Model& model;
    const ggml_cgraph& source;
    const ReadGraph& read;
    const Lowered& lowered;
    const TierArena& arena;
};

// The memory that the plan's offsets count from.
struct Memories {
    ggml_backend_buffer_t arena = nullptr;    // on the device; nullptr: nothing lies there
    ggml_backend_buffer_t scratch = nullptr;  // host memory for the CPU's values
    CpuWeights& cpu_weights;                  // what the CPU computes with
    const PageLocks& locks;                   // where host memory has moved to
};

// An address that the plan gives. The buffer is what ggml looks at for the kind of memory.
struct Spot {
    ggml_backend_buffer_t buffer = nullptr;
    std::byte* data = nullptr;
};

class Shadows {
public:
    Shadows(const PlacedGraph& graph, const Memories& memories);

    // The shadow to read `tensor` by on `device`. Fails if the plan gives it no place there.
    Result<ggml_tensor*> of(const ggml_tensor* tensor, Device device);

    // The shadow with its sources, for a node that is computed on `device`.
    Result<ggml_tensor*> computed(const ggml_tensor* node, Device device);

    // `bytes` of device memory at an offset of the arena, as plain bytes.
    ggml_tensor* raw(Bytes offset, Bytes bytes);

    // The bytes of a shadow as plain bytes.
    ggml_tensor* raw_of(const ggml_tensor& shadow);

    // What a tensor of the graph is; nullopt for one that it does not have.
    [[nodiscard]] std::optional<Ref> ref_of(const ggml_tensor* tensor) const;

    // Where a tensor is read on `device`; no data: nowhere.
    [[nodiscard]] Spot spot_of(const ggml_tensor* tensor, Device device) const;

    // Where a streamed group's members begin in the arena.
    [[nodiscard]] Bytes slot_of_weight(int weight) const { return at(weight_slots_, weight); }

    [[nodiscard]] Bytes slot_of_state(int state) const { return at(state_slots_, state); }

    // Hands over the tensors; their addresses stay.
    std::deque<ggml_tensor> take_tensors() { return std::move(tensors_); }

    // The buffer of the weights among them.
    std::unique_ptr<ggml_backend_buffer> take_weights_buffer() { return std::move(weights_); }

private:
    static Bytes at(const std::vector<Bytes>& offsets, int index) {
        return offsets[static_cast<std::size_t>(index)];
    }

    void place_groups();
    [[nodiscard]] std::vector<int> as_in_memory(std::vector<int> weights) const;
    [[nodiscard]] bool stands_alone(const ggml_tensor* tensor, Device device) const;
    Spot gpu_spot(const Ref& root) const;
    Spot cpu_spot(const Ref& root) const;
    Spot in_arena(Bytes offset) const;
    Spot in_scratch(Device device, Bytes offset) const;
    Spot in_host(const ggml_tensor* tensor) const;

    const PlacedGraph& graph_;
    const Memories& memories_;
    std::unique_ptr<ggml_backend_buffer> weights_;      // the arena, as a buffer of weights
    std::unordered_map<const ggml_tensor*, Ref> refs_;  // nodes and inputs
    std::vector<Bytes> weight_slots_;                   // in the arena, or kNoOffset
    std::vector<Bytes> state_slots_;
    std::unordered_map<const ggml_tensor*, ggml_tensor*> made_[2];  // by Device
    std::deque<ggml_tensor> tensors_;
};

}  // namespace pshard
