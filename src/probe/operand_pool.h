// Device memory full of random, valid operands, from which an op takes another stretch each time:
// so that what it reads lies in no cache, as the weights of a model do not. And memory for what is
// warm, which all ops share.
#pragma once

#include <map>
#include <vector>

#include <ggml.h>

#include "probe/devices.h"

namespace pshard {

class OperandPool {
public:
    // `bytes` of memory for each buffer type that is used; taken when first needed.
    OperandPool(ggml_backend_dev_t device, Bytes bytes) : device_(device), bytes_(bytes) {}

    // Fills the memory of that buffer type with random blocks of a tensor type, laid out as the
    // buffer type wants them (the CPU's repacked weights): its first `wanted` bytes, or all of it
    // where that is less. Fails when memory is short, or the type cannot be made.
    Status fill(ggml_backend_buffer_type_t buffer_type, ggml_type type, Bytes wanted);

    // Puts an operand of the filled type where none was for the longest. False: the tensor is
    // larger than what is filled.
    [[nodiscard]] bool place(ggml_tensor* tensor);

    // Memory of the device's own type for what is not cold, of at least that size, each of its
    // pages touched. All who ask get the same: what was there is lost. Fails when memory is short.
    Result<ggml_backend_buffer_t> warm(Bytes bytes);

    // How many operands of that size lie side by side in what is filled.
    [[nodiscard]] std::int64_t capacity(Bytes operand) const;

private:
    Result<ggml_backend_buffer_t> buffer_of(ggml_backend_buffer_type_t type);
    const std::vector<std::uint8_t>& template_of(ggml_type type);

    ggml_backend_dev_t device_;
    Bytes bytes_;
    std::map<ggml_backend_buffer_type_t, BufferHandle> buffers_{};
    // The last one is in use. Those before are kept: Mesa's lavapipe (22.3) touches a buffer after
    // it is gone, where ggml's Vulkan backend left it in a descriptor
    // (docs/cli/llama-profiler-gpu.md).
    std::vector<BufferHandle> warm_{};
    std::map<ggml_type, std::vector<std::uint8_t>> templates_{};  // quantizing takes long
    ggml_backend_buffer_t filled_ = nullptr;
    ggml_type filled_type_ = GGML_TYPE_COUNT;
    Bytes filled_bytes_ = 0;
    Bytes step_ = 1;  // operands begin at multiples of the random template
    Bytes next_ = 0;
};

// The buffer type that llama.cpp would load a CPU weight into: the first of the CPU's extra types
// that supports the op, else the CPU's own. On any other device its own. `op` reads the weight from
// its source 0, which has no memory yet.
[[nodiscard]] ggml_backend_buffer_type_t weight_buffer_type(ggml_backend_dev_t device,
                                                            ggml_tensor* op);

}  // namespace pshard
