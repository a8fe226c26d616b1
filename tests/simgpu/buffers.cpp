// The device's memory and pinned host memory, as ggml's buffers. Access through a buffer is the
// host's and waits for the copy alone, not for any stream: as CUDA's does.
#include <cstring>

#include <ggml-impl.h>

#include "simgpu/gpu.h"
#include "simgpu/tensor_access.h"

namespace pshard::simgpu {

namespace {

constexpr std::size_t kAlignment = 128;
constexpr std::int64_t kRowPadding = 512;  // elements; CUDA's MATRIX_ROW_PADDING

Gpu& gpu_of(ggml_backend_buffer_t buffer) { return *static_cast<Gpu*>(buffer->buft->context); }

std::byte* at(const ggml_tensor* tensor, std::size_t offset) {
    return static_cast<std::byte*>(tensor->data) + offset;
}

void host_writes(Gpu& gpu, const char* how, const ggml_tensor* tensor, Range range) {
    const Access access{range, true, Memory::Device, tensor->name};
    gpu.watch.run(kHost, std::string(how) + " " + tensor->name, {&access, 1});
}

// Waits for all queues: the memory may be in use, and CUDA waits too.
void free_buffer(ggml_backend_buffer_t buffer) {
    Gpu& gpu = gpu_of(buffer);
    gpu.drain_all();
    const Range range = range_of(buffer->context, buffer->size);
    gpu.watch.with([&](Checker& checker) { checker.release(range); });
    gpu.memory.release(static_cast<std::byte*>(buffer->context));
}

void* get_base(ggml_backend_buffer_t buffer) { return buffer->context; }

std::size_t alloc_size(ggml_backend_buffer_type_t /*type*/, const ggml_tensor* tensor) {
    const std::size_t bytes = ggml_nbytes(tensor);
    const std::int64_t beyond = tensor->ne[0] % kRowPadding;
    if (!ggml_is_quantized(tensor->type) || beyond == 0) return bytes;
    return bytes + ggml_row_size(tensor->type, kRowPadding - beyond);
}

// CUDA sets the padding of quantized weights to 0 here: bytes behind the tensor's values.
ggml_status init_tensor(ggml_backend_buffer_t buffer, ggml_tensor* tensor) {
    if (tensor->view_src != nullptr || buffer->usage == GGML_BACKEND_BUFFER_USAGE_COMPUTE) {
        return GGML_STATUS_SUCCESS;
    }
    const std::size_t bytes = ggml_nbytes(tensor);
    const std::size_t padding = alloc_size(buffer->buft, tensor) - bytes;
    if (padding == 0) return GGML_STATUS_SUCCESS;
    host_writes(gpu_of(buffer), "init_tensor", tensor, range_of(at(tensor, bytes), padding));
    std::memset(at(tensor, bytes), 0, padding);
    return GGML_STATUS_SUCCESS;
}

void memset_tensor(ggml_backend_buffer_t buffer,
                   ggml_tensor* tensor,
                   std::uint8_t value,
                   std::size_t offset,
                   std::size_t size) {
    host_writes(gpu_of(buffer), "memset_tensor", tensor, range_of(at(tensor, offset), size));
    std::memset(at(tensor, offset), value, size);
}

// Runs a copy of the host's own, at the rate of the host memory's kind.
void copy_now(const Gpu& gpu, CopyEngine& engine, const Copy& copy, bool pinned) {
    if (pinned) return engine.copy(copy);
    engine.copy_slowly(copy, gpu.settings.pageable_share);
}

void set_tensor(ggml_backend_buffer_t buffer,
                ggml_tensor* tensor,
                const void* data,
                std::size_t offset,
                std::size_t size) {
    Gpu& gpu = gpu_of(buffer);
    host_writes(gpu, "set_tensor", tensor, range_of(at(tensor, offset), size));
    const Copy copy{at(tensor, offset), static_cast<const std::byte*>(data), size};
    copy_now(gpu, gpu.upload, copy, HostRanges::of_process().pinned(data, size));
}

void get_tensor(ggml_backend_buffer_t buffer,
                const ggml_tensor* tensor,
                void* data,
                std::size_t offset,
                std::size_t size) {
    Gpu& gpu = gpu_of(buffer);
    const Access access{range_of(at(tensor, offset), size), false, Memory::Device, tensor->name};
    gpu.watch.run(kHost, std::string("get_tensor ") + tensor->name, {&access, 1});
    check_target(gpu, tensor, range_of(data, size));
    const Copy copy{static_cast<std::byte*>(data), at(tensor, offset), size};
    copy_now(gpu, gpu.download, copy, HostRanges::of_process().pinned(data, size));
}

bool cpy_tensor(ggml_backend_buffer_t buffer, const ggml_tensor* source, ggml_tensor* target) {
    Gpu& gpu = gpu_of(buffer);
    if (!is_on(gpu, source)) return false;
    const std::size_t bytes = ggml_nbytes(source);
    const Access accesses[] = {{range_of(source->data, bytes), false, Memory::Device, source->name},
                               {range_of(target->data, bytes), true, Memory::Device, target->name}};
    gpu.watch.run(kHost, std::string("cpy_tensor ") + target->name, accesses);
    std::memmove(target->data, source->data, bytes);
    return true;
}

// llama.cpp clears the KV cache right behind its warm-up run, which nothing has waited for yet. On
// CUDA that is a race too, of values that nobody will look at.
void clear(ggml_backend_buffer_t buffer, std::uint8_t value) {
    Access access{range_of(buffer->context, buffer->size), true};
    access.tensor = "the whole buffer";
    access.may_race = true;
    gpu_of(buffer).watch.run(kHost, "clear", {&access, 1});
    std::memset(buffer->context, value, buffer->size);
}

ggml_backend_buffer_t alloc_buffer(ggml_backend_buffer_type_t type, std::size_t size) {
    Gpu& gpu = *static_cast<Gpu*>(type->context);
    gpu.open_context();
    std::byte* data = gpu.memory.allocate(size);
    if (data == nullptr) {
        GGML_LOG_ERROR("simgpu: allocating %.2f MiB on device SIM0: out of memory, %.2f MiB free\n",
                       static_cast<double>(size) / (1 << 20U),
                       static_cast<double>(gpu.memory.free_bytes()) / (1 << 20U));
        return nullptr;
    }
    gpu.watch.with([&](Checker& checker) { checker.allocate(range_of(data, size)); });
    ggml_backend_buffer_i iface{};
    iface.free_buffer = free_buffer;
    iface.get_base = get_base;
    iface.init_tensor = init_tensor;
    iface.memset_tensor = memset_tensor;
    iface.set_tensor = set_tensor;
    iface.get_tensor = get_tensor;
    iface.cpy_tensor = cpy_tensor;
    iface.clear = clear;
    return ggml_backend_buffer_init(type, iface, data, size);
}

// Pinned memory is the CPU's in all but its name and its lock.
void free_host_buffer(ggml_backend_buffer_t buffer) {
    Gpu& gpu = gpu_of(buffer);
    gpu.drain_all();
    const Range range = range_of(buffer->context, buffer->size);
    gpu.watch.with([&](Checker& checker) { checker.release(range); });
    HostRanges::of_process().remove(buffer->context);
    ggml_aligned_free(buffer->context, buffer->size);
}

ggml_backend_buffer_t alloc_host_buffer(ggml_backend_buffer_type_t type, std::size_t size) {
    void* data = ggml_aligned_malloc(size);
    if (data == nullptr) return nullptr;
    HostRanges::of_process().add(data, size, HostRanges::Kind::Pinned);
    ggml_backend_buffer_t buffer = ggml_backend_cpu_buffer_from_ptr(data, size);
    buffer->buft = type;
    buffer->iface.free_buffer = free_host_buffer;
    return buffer;
}

std::size_t host_alignment(ggml_backend_buffer_type_t /*type*/) {
    return ggml_backend_buft_get_alignment(ggml_backend_cpu_buffer_type());
}

}  // namespace

void check_target(Gpu& gpu, const ggml_tensor* tensor, Range target) {
    const auto* data = reinterpret_cast<const void*>(target.begin);
    if (!gpu.watch.on() || HostRanges::of_process().writable(data, target.end - target.begin))
        return;
    gpu.watch.report({FaultKind::LockedForReading,
                      target,
                      std::string("a copy of ") + tensor->name,
                      "the host's copy",
                      ""});
}

bool is_on(const Gpu& gpu, const ggml_tensor* tensor) {
    const ggml_tensor* root = tensor->view_src != nullptr ? tensor->view_src : tensor;
    return root->buffer != nullptr && root->buffer->buft == &gpu.buffer_type;
}

void make_buffer_types(Gpu& gpu) {
    gpu.buffer_type.device = &gpu.device;
    gpu.buffer_type.context = &gpu;
    gpu.buffer_type.iface.get_name = [](ggml_backend_buffer_type_t) { return "SIM0"; };
    gpu.buffer_type.iface.alloc_buffer = alloc_buffer;
    gpu.buffer_type.iface.get_alignment = [](ggml_backend_buffer_type_t) { return kAlignment; };
    gpu.buffer_type.iface.get_alloc_size = alloc_size;

    gpu.host_buffer_type.device = &gpu.device;
    gpu.host_buffer_type.context = &gpu;
    gpu.host_buffer_type.iface.get_name = [](ggml_backend_buffer_type_t) { return "SIM0_Host"; };
    gpu.host_buffer_type.iface.alloc_buffer = alloc_host_buffer;
    gpu.host_buffer_type.iface.get_alignment = host_alignment;
    gpu.host_buffer_type.iface.is_host = [](ggml_backend_buffer_type_t) { return true; };
}

}  // namespace pshard::simgpu
