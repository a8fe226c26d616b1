// Finds the memory of PSHARD0 that a tensor of llama.cpp lies in.
#pragma once

#include <ggml-backend-impl.h>

#include "runtime/host_buffer.h"

namespace pshard {

inline const ggml_tensor& root_of(const ggml_tensor& tensor) {
    return tensor.view_src != nullptr ? *tensor.view_src : tensor;
}

// ggml's hook by which a buffer of PSHARD0 is known (backend.cpp).
void free_host_buffer(ggml_backend_buffer_t buffer);

// nullptr: in memory of another device.
inline HostBuffer* host_buffer_of(const ggml_tensor& tensor) {
    ggml_backend_buffer_t buffer = root_of(tensor).buffer;
    const bool ours = buffer != nullptr && buffer->iface.free_buffer == free_host_buffer;
    return ours ? static_cast<HostBuffer*>(buffer->context) : nullptr;
}

}  // namespace pshard
