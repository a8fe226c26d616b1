#include "capture/device_model.h"

#include <ggml.h>

namespace pshard {

std::unique_ptr<DevicePolicy> make_device_model(std::string_view name) {
    if (name == "cuda") return make_cuda_model();
    if (name == "vulkan") return make_vulkan_model();
    return nullptr;
}

std::int64_t op_batch_size(const ggml_tensor& op) {
    switch (op.op) {
        case GGML_OP_GET_ROWS:
            return 0;
        case GGML_OP_MUL_MAT:
            return op.ne[1];
        case GGML_OP_MUL_MAT_ID:
        case GGML_OP_ROPE:
        case GGML_OP_ROPE_BACK:
            return op.ne[2];
        default:
            return ggml_nrows(&op);
    }
}

}  // namespace pshard
