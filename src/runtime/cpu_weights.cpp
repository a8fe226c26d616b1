#include "runtime/cpu_weights.h"

#include <numeric>

#include <ggml-backend-impl.h>

namespace pshard {
CpuWeights::CpuWeights(ggml_backend_dev_t cpu, const PageLocks& locks)
    : cpu_(cpu), locks_(locks), layouts_(extra_layouts(cpu)) {}

const ggml_tensor* CpuWeights::better(const ggml_tensor* weight, const ggml_tensor& op) {
    const bool multiplies = op.op == GGML_OP_MUL_MAT || op.op == GGML_OP_MUL_MAT_ID;
    if (!multiplies || weight->view_src != nullptr) return find(weight);
    auto found = copies_.find(weight);
    if (found == copies_.end()) found = copies_.emplace(weight, make(weight, op)).first;
    return found->second.tensor.get();
}

const ggml_tensor* CpuWeights::find(const ggml_tensor* weight) const {
    const auto found = copies_.find(weight);
    return found == copies_.end() ? nullptr : found->second.tensor.get();
}

CpuWeights::Copy CpuWeights::make(const ggml_tensor* weight, const ggml_tensor& op) const {
    for (ggml_backend_buffer_type_t layout : layouts_) {
        if (!computes_from(cpu_, layout, op)) continue;
        const std::size_t bytes = ggml_backend_buft_get_alloc_size(layout, weight);
        Copy copy{BufferHandle(ggml_backend_buft_alloc_buffer(layout, bytes)),
                  std::make_unique<ggml_tensor>(*weight)};
        if (copy.buffer == nullptr) break;  // no memory for a copy: the master serves
        ggml_backend_buffer_set_usage(copy.buffer.get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
        copy.tensor->buffer = copy.buffer.get();
        copy.tensor->data = ggml_backend_buffer_get_base(copy.buffer.get());
        copy.tensor->extra = nullptr;
        ggml_backend_buffer_init_tensor(copy.buffer.get(), copy.tensor.get());
        const Bytes all = ggml_nbytes(weight);
        ggml_backend_tensor_set(copy.tensor.get(), locks_.whole(weight->data, all), 0, all);
        return copy;
    }
    return {};
}

Bytes CpuWeights::bytes() const {
    return std::accumulate(
        copies_.begin(), copies_.end(), Bytes{0}, [](Bytes sum, const auto& entry) {
            const ggml_backend_buffer_t buffer = entry.second.buffer.get();
            return sum + (buffer == nullptr ? 0 : ggml_backend_buffer_get_size(buffer));
        });
}

}  // namespace pshard
