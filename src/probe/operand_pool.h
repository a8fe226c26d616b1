// Device memory full of random, valid operands. An op takes another stretch of it each time, so
// that no cache holds what it reads, as none holds the weights of a model. The pool also has memory
// for warm operands, which all ops share.
#pragma once

#include <map>
#include <vector>

#include <ggml.h>

#include "probe/devices.h"

namespace pshard {

class OperandPool {
public:
    // Takes `bytes` of memory for each buffer type, when it is first needed.
    OperandPool(ggml_backend_dev_t device, Bytes bytes) : device_(device), bytes_(bytes) {}

    // Fills the first `wanted` bytes of the memory of that buffer type, or all of it if that is
    // less, with random blocks of a tensor type. They are laid out as the buffer type wants them
    // (the CPU may repack weights). Fails if memory is short, or if the type cannot be made.
    Status fill(ggml_backend_buffer_type_t buffer_type, ggml_type type, Bytes wanted);

    // Puts an operand of the filled type where none was for the longest time. False if the tensor
    // is larger than what is filled.
    [[nodiscard]] bool place(ggml_tensor* tensor);

    // At least `bytes` of the device's own memory for warm operands, with every page touched.
    // Everybody who asks gets the same memory, and what was there is lost. Fails if memory is
    // short.
    Result<ggml_backend_buffer_t> warm(Bytes bytes);

private:
    Result<ggml_backend_buffer_t> buffer_of(ggml_backend_buffer_type_t type);
    const std::vector<std::uint8_t>& template_of(ggml_type type);

    ggml_backend_dev_t device_;
    Bytes bytes_;
    std::map<ggml_backend_buffer_type_t, BufferHandle> buffers_{};
    // Only the last buffer is in use. The earlier ones are kept, because Mesa's lavapipe (22.3)
    // touches a buffer after its end if ggml's Vulkan backend left it in a descriptor
    // (docs/cli/llama-profiler-gpu.md).
    std::vector<BufferHandle> warm_{};
    std::map<ggml_type, std::vector<std::uint8_t>> templates_{};  // quantizing takes long
    ggml_backend_buffer_t filled_ = nullptr;
    ggml_type filled_type_ = GGML_TYPE_COUNT;
    Bytes filled_bytes_ = 0;
    Bytes step_ = 1;  // size of the template; operands begin at multiples of it
    Bytes next_ = 0;
};

// The buffer type that llama.cpp would load a weight into. On a CPU, it is the first of the extra
// types that supports the op, else the CPU's own; on any other device, it is the device's own. `op`
// reads the weight as its source 0, which has no memory yet.
[[nodiscard]] ggml_backend_buffer_type_t weight_buffer_type(ggml_backend_dev_t device,
                                                            ggml_tensor* op);

}  // namespace pshard
