// What a ggml device offers besides its interface: backends, functions that only some libraries
// have, its memory, pinned host memory, layouts for weights; and ggml's types by their names.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "ggml_kit/handles.h"

namespace pshard {

// A function of the library that the device belongs to; nullptr if the library does not have it.
template <typename Function>
Function find_function(ggml_backend_dev_t device, const char* name) {
    return reinterpret_cast<Function>(
        ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(device), name));
}

// Opens a backend instance, with a stream and threads of its own. Fails if the device refuses
// another one.
[[nodiscard]] Result<BackendHandle> open_backend(ggml_backend_dev_t device);

// ggml's type of that name ("q4_K"); nullopt if there is none.
[[nodiscard]] std::optional<ggml_type> ggml_type_of(std::string_view name);

// The device's memory as its driver counts it.
struct DeviceMemory {
    Bytes free = 0;
    Bytes total = 0;  // 0: the device does not say
};

[[nodiscard]] DeviceMemory memory_of(ggml_backend_dev_t device);

// Host memory from the device's driver, which the device copies from and to directly. nullptr: the
// device has none, or none left.
[[nodiscard]] BufferHandle pinned_memory(ggml_backend_dev_t device, Bytes bytes);

// The buffer types in which a CPU device keeps weights in another layout (repacked, AMX), the best
// first.
[[nodiscard]] std::vector<ggml_backend_buffer_type_t> extra_layouts(ggml_backend_dev_t device);

// Whether the device computes `op`, wherever its tensors lie now: a plan will move them.
[[nodiscard]] bool computes(ggml_backend_dev_t device, const ggml_tensor& op);

// Whether the device computes `op`, a matrix multiplication, with its first source in a buffer of
// that type. The question is put as llama.cpp puts it (llama-model-loader.cpp,
// weight_buft_supported).
[[nodiscard]] bool computes_from(ggml_backend_dev_t device,
                                 ggml_backend_buffer_type_t layout,
                                 const ggml_tensor& op);

}  // namespace pshard
