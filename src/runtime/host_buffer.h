// The memory behind a buffer of PSHARD0: host memory at the addresses that llama.cpp sees.
//
// Every tensor has its master there. What lies in VRAM is a copy, made by the plan: so nothing has
// to be decided when llama.cpp allocates, and a plan switch loses nothing. A buffer made from a
// mapped model file is that mapping itself. Pages take memory when they are first written: of a
// compute buffer only what the host writes and reads, the graphs' values live in scratch.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include <ggml-backend-impl.h>

#include "base/address_space.h"
#include "ggml_kit/border.h"

namespace pshard {

enum class BufferUse { Weights, Any, Compute };

class HostBuffer {
public:
    // nullptr if there is no address space for it.
    static HostBuffer* reserve(Bytes bytes);
    // Takes memory that the caller keeps alive.
    static HostBuffer* adopt(void* base, Bytes bytes);

    HostBuffer(const HostBuffer&) = delete;
    HostBuffer& operator=(const HostBuffer&) = delete;
    ~HostBuffer() = default;

    [[nodiscard]] std::byte* base() const { return base_; }

    [[nodiscard]] Bytes bytes() const { return bytes_; }

    // What the buffer is for. llama.cpp sets that late, and does not tell when [P1].
    [[nodiscard]] BufferUse use() const;

    // Whether nobody but this process's PSHARD0 knows the memory.
    [[nodiscard]] bool is_ours() const { return own_.has_value(); }

    // Fills a part of the buffer with zeroes, without touching whole pages if the memory is ours.
    void clear_to_zero(std::byte* data, Bytes bytes);

    ggml_backend_buffer_t handle = nullptr;
    std::vector<const ggml_tensor*> tensors;  // placed here: no views, no results of operations

private:
    HostBuffer(void* base, Bytes bytes) : base_(static_cast<std::byte*>(base)), bytes_(bytes) {}

    std::byte* base_;
    Bytes bytes_;
    std::optional<AddressSpace> own_{};  // nullopt: the memory is adopted
};

inline const ggml_tensor& root_of(const ggml_tensor& tensor) {
    return tensor.view_src != nullptr ? *tensor.view_src : tensor;
}

// ggml's hook by which a buffer of PSHARD0 is known (backend.cpp).
void free_host_buffer(ggml_backend_buffer_t buffer);

// The memory of PSHARD0 that a tensor of llama.cpp lies in; nullptr: in memory of another device.
inline HostBuffer* host_buffer_of(const ggml_tensor& tensor) {
    ggml_backend_buffer_t buffer = root_of(tensor).buffer;
    const bool ours = buffer != nullptr && buffer->iface.free_buffer == guarded<free_host_buffer>;
    return ours ? static_cast<HostBuffer*>(buffer->context) : nullptr;
}

}  // namespace pshard
