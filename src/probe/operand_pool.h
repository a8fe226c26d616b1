// Device memory full of random, valid operands, from which an op takes another stretch each time:
// so that what it reads lies in no cache, as the weights of a model do not.
#pragma once

#include <map>
#include <optional>

#include <ggml.h>

#include "probe/devices.h"

namespace pshard {

class OperandPool {
public:
    // `bytes` of memory for each buffer type that is used; taken when first needed.
    OperandPool(ggml_backend_dev_t device, Bytes bytes) : device_(device), bytes_(bytes) {}

    // Fills the memory of that buffer type with random blocks of a tensor type, laid out as the
    // buffer type wants them (the CPU's repacked weights). Fails when memory is short, or the type
    // cannot be made.
    Status fill(ggml_backend_buffer_type_t buffer_type, ggml_type type);

    // Puts an operand of the filled type where none was for the longest. False: the tensor is
    // larger than the pool.
    [[nodiscard]] bool place(ggml_tensor* tensor);

    // How many operands of that size lie in the pool side by side.
    [[nodiscard]] std::int64_t capacity(Bytes operand) const;

private:
    Result<ggml_backend_buffer_t> buffer_of(ggml_backend_buffer_type_t type);

    ggml_backend_dev_t device_;
    Bytes bytes_;
    std::map<ggml_backend_buffer_type_t, BufferPtr> buffers_{};
    ggml_backend_buffer_t filled_ = nullptr;
    ggml_type filled_type_ = GGML_TYPE_COUNT;
    Bytes step_ = 1;  // operands begin at multiples of the random template
    Bytes next_ = 0;
};

// The buffer type that llama.cpp would load a CPU weight into: the first of the CPU's extra types
// that supports the op, else the CPU's own. On any other device its own. `op` reads the weight from
// its source 0, which has no memory yet.
[[nodiscard]] ggml_backend_buffer_type_t weight_buffer_type(ggml_backend_dev_t device,
                                                            ggml_tensor* op);

}  // namespace pshard
