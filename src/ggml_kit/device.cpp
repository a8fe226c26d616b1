#include "ggml_kit/device.h"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace pshard {

Result<BackendHandle> open_backend(ggml_backend_dev_t device) {
    BackendHandle backend(ggml_backend_dev_init(device, nullptr));
    if (backend != nullptr) return backend;
    return Error{fmt::format("the device {} cannot be opened", ggml_backend_dev_name(device)), {}};
}

std::optional<ggml_type> ggml_type_of(std::string_view name) {
    for (int i = 0; i < GGML_TYPE_COUNT; ++i) {
        const auto type = static_cast<ggml_type>(i);
        if (ggml_blck_size(type) != 0 && name == ggml_type_name(type)) return type;
    }
    return std::nullopt;
}

DeviceMemory memory_of(ggml_backend_dev_t device) {
    DeviceMemory memory;
    ggml_backend_dev_memory(device, &memory.free, &memory.total);
    return memory;
}

BufferHandle pinned_memory(ggml_backend_dev_t device, Bytes bytes) {
    ggml_backend_buffer_type_t type = ggml_backend_dev_host_buffer_type(device);
    if (type == nullptr) return {};
    BufferHandle buffer(ggml_backend_buft_alloc_buffer(type, bytes));
    // A driver that has none left may give memory of the CPU's type.
    const bool pinned = buffer != nullptr && ggml_backend_buffer_get_type(buffer.get()) == type;
    return pinned ? std::move(buffer) : BufferHandle();
}

std::vector<ggml_backend_buffer_type_t> extra_layouts(ggml_backend_dev_t device) {
    std::vector<ggml_backend_buffer_type_t> layouts;
    const auto list = find_function<ggml_backend_dev_get_extra_bufts_t>(
        device, "ggml_backend_dev_get_extra_bufts");
    if (list == nullptr) return layouts;
    for (ggml_backend_buffer_type_t* type = list(device); type != nullptr && *type != nullptr;) {
        layouts.push_back(*type++);
    }
    return layouts;
}

// Asks with tensors that have no buffer: a device may refuse those of another.
bool computes(ggml_backend_dev_t device, const ggml_tensor& op) {
    ggml_tensor asked = op;
    std::array<ggml_tensor, GGML_MAX_SRC> sources;
    asked.buffer = nullptr;
    for (std::size_t i = 0; i < sources.size(); ++i) {
        if (op.src[i] == nullptr) continue;
        sources[i] = *op.src[i];
        sources[i].buffer = nullptr;
        asked.src[i] = &sources[i];
    }
    return ggml_backend_dev_supports_op(device, &asked);
}

bool computes_from(ggml_backend_dev_t device,
                   ggml_backend_buffer_type_t layout,
                   const ggml_tensor& op) {
    const BufferHandle empty(ggml_backend_buft_alloc_buffer(layout, 0));
    if (empty == nullptr) return false;
    ggml_tensor weight = *op.src[0];
    weight.buffer = empty.get();
    weight.extra = nullptr;
    ggml_tensor operand = *op.src[1];
    operand.buffer = nullptr;
    ggml_tensor asked = op;
    asked.src[0] = &weight;
    asked.src[1] = &operand;
    return ggml_backend_dev_supports_op(device, &asked);
}

}  // namespace pshard
