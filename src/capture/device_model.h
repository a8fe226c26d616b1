// Models of devices that a machine does not have: the rules by which ggml v0.5.0's own backends
// answer.
//
//   "cuda"    NVIDIA, compute capability 8.0 or 8.6 (Ampere), built with CUB, no sparse attention.
//             Source: ggml/src/ggml-cuda/ggml-cuda.cu (buffer type, supports_op, offload_op),
//             ggml-cuda/fattn.cu and fattn-common.cuh (flash attention), lightning-indexer.cu.
//   "vulkan"  A desktop GPU with subgroup arithmetic and shuffle, fp16, workgroups of 1024,
//             32 KiB of shared memory, 64-byte storage offsets, no 64-bit shader indexing.
//             Source: ggml/src/ggml-vulkan/ggml-vulkan.cpp.
//
// Doubt: a device that is there answers better than its model (capture/device_policy.h). Newer CUDA
// devices differ in one thing: with a quantized KV cache, Ada and later need no f16 copy of the
// cache in graphs of two tokens either.
#pragma once

#include <memory>
#include <string_view>

#include "capture/device_policy.h"

namespace pshard {

// nullptr if no model has that name.
std::unique_ptr<DevicePolicy> make_device_model(std::string_view name);

// Each makes one model.
std::unique_ptr<DevicePolicy> make_cuda_model();
std::unique_ptr<DevicePolicy> make_vulkan_model(Bytes max_storage_range = 4 * kGiB - 1);

}  // namespace pshard
