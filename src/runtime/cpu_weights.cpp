#include "runtime/cpu_weights.h"

#include <numeric>

#include <ggml-backend-impl.h>

namespace pshard {
namespace {

std::vector<ggml_backend_buffer_type_t> extra_layouts(ggml_backend_dev_t cpu) {
    std::vector<ggml_backend_buffer_type_t> layouts;
    ggml_backend_reg_t reg = ggml_backend_dev_backend_reg(cpu);
    const auto list = reinterpret_cast<ggml_backend_dev_get_extra_bufts_t>(
        ggml_backend_reg_get_proc_address(reg, "ggml_backend_dev_get_extra_bufts"));
    if (list == nullptr) return layouts;
    for (ggml_backend_buffer_type_t* type = list(cpu); type != nullptr && *type != nullptr;
         ++type) {
        layouts.push_back(*type);
    }
    return layouts;
}

// As llama.cpp asks (llama-model-loader.cpp, weight_buft_supported): the op, with its weight in a
// buffer of that type.
bool computes_from(ggml_backend_dev_t cpu,
                   ggml_backend_buffer_type_t layout,
                   const ggml_tensor& op,
                   const ggml_tensor* weight) {
    const BufferHandle empty(ggml_backend_buft_alloc_buffer(layout, 0));
    if (empty == nullptr) return false;
    ggml_tensor source = *weight;
    source.buffer = empty.get();
    source.extra = nullptr;
    ggml_tensor asked = op;
    ggml_tensor operand = *op.src[1];
    operand.buffer = nullptr;
    asked.src[0] = &source;
    asked.src[1] = &operand;
    return ggml_backend_dev_supports_op(cpu, &asked);
}

}  // namespace

CpuWeights::CpuWeights(ggml_backend_dev_t cpu) : cpu_(cpu), layouts_(extra_layouts(cpu)) {}

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
        if (!computes_from(cpu_, layout, op, weight)) continue;
        const std::size_t bytes = ggml_backend_buft_get_alloc_size(layout, weight);
        Copy copy{BufferHandle(ggml_backend_buft_alloc_buffer(layout, bytes)),
                  std::make_unique<ggml_tensor>(*weight)};
        if (copy.buffer == nullptr) break;  // no memory: the master does
        ggml_backend_buffer_set_usage(copy.buffer.get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
        copy.tensor->buffer = copy.buffer.get();
        copy.tensor->data = ggml_backend_buffer_get_base(copy.buffer.get());
        copy.tensor->extra = nullptr;
        ggml_backend_buffer_init_tensor(copy.buffer.get(), copy.tensor.get());
        ggml_backend_tensor_set(copy.tensor.get(), weight->data, 0, ggml_nbytes(weight));
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
