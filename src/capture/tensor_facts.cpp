#include "capture/tensor_facts.h"

#include <ggml.h>

#include <charconv>
#include <string_view>

#include "inventory/weight_class.h"

namespace pshard {
namespace {

// "cache_k_l12" -> 12
int layer_of_state(std::string_view name) {
    const std::size_t mark = name.rfind("_l");
    if (mark == std::string_view::npos) return -1;
    int layer = -1;
    std::from_chars(name.data() + mark + 2, name.data() + name.size(), layer);
    return layer;
}

// Whether a state is recurrent, by the names that llama.cpp gives: cache_r_lN (convolution),
// cache_s_lN (state) and cache_ple_r_lN in llama-memory-recurrent.cpp, dsv4_*_state_*_lN in
// llama-kv-cache-dsv4.cpp. All other states hold cells.
bool is_recurrent(std::string_view name) {
    return name.starts_with("cache_r_") || name.starts_with("cache_s_") ||
           name.starts_with("cache_ple_r_") || name.starts_with("dsv4_");
}

}  // namespace

Shape shape_of(const ggml_tensor& tensor) {
    return {tensor.ne[0], tensor.ne[1], tensor.ne[2], tensor.ne[3]};
}

Weight weight_facts(const ggml_tensor& tensor,
                    const std::string& name,
                    const DevicePolicy& device) {
    const WeightClass where = classify_weight(name);
    Weight weight;
    weight.name = name;
    weight.type = ggml_type_name(tensor.type);
    weight.shape = shape_of(tensor);
    weight.bytes = ggml_nbytes(&tensor);
    weight.alloc_bytes = aligned_tensor_bytes(device, device.model().alignment, tensor);
    weight.layer = where.layer;
    weight.side = where.side;
    weight.routed = where.routed;
    return weight;
}

State state_facts(const ggml_tensor& tensor, const DevicePolicy& device) {
    State state;
    state.name = tensor.name;
    state.type = ggml_type_name(tensor.type);
    state.shape = shape_of(tensor);
    state.bytes = ggml_nbytes(&tensor);
    state.alloc_bytes = aligned_tensor_bytes(device, device.model().alignment, tensor);
    state.layer = layer_of_state(state.name);
    state.kind = is_recurrent(state.name) ? StateKind::Recurrent : StateKind::Kv;
    state.n_cells = state.kind == StateKind::Kv ? tensor.ne[1] * tensor.ne[2] : 0;
    return state;
}

}  // namespace pshard
