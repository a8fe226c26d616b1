// The device as ggml's registry shows it.
#include <ggml-impl.h>

#include "simgpu/gpu.h"
#include "simgpu/kernels.h"

namespace pshard::simgpu {

namespace {

constexpr std::int64_t kOffloadBatch = 32;  // tokens; CUDA's default

Gpu& gpu_of(ggml_backend_dev_t device) { return *static_cast<Gpu*>(device->context); }

const char* device_name(ggml_backend_dev_t /*device*/) { return "SIM0"; }

const char* description(ggml_backend_dev_t /*device*/) { return "simulated GPU"; }

void get_memory(ggml_backend_dev_t device, std::size_t* free, std::size_t* total) {
    gpu_of(device).open_context();  // as cudaMemGetInfo does
    *free = gpu_of(device).memory.free_bytes();
    *total = gpu_of(device).memory.total_bytes();
}

enum ggml_backend_dev_type get_type(ggml_backend_dev_t /*device*/) {
    return GGML_BACKEND_DEVICE_TYPE_GPU;
}

void get_props(ggml_backend_dev_t device, ggml_backend_dev_props* props) {
    *props = {};
    props->name = device_name(device);
    props->description = description(device);
    props->type = get_type(device);
    get_memory(device, &props->memory_free, &props->memory_total);
    props->caps.async = true;
    props->caps.host_buffer = true;
    props->caps.events = true;
    props->caps.mmap_support = true;
}

// What the CPU's kernels can do, on tensors that lie or can be brought here: not what a backend
// keeps in a layout of its own. As on all of ggml's GPUs, products with routed experts have no
// kernel whose second factor stays f32; as on CUDA, attention has none for caches of iq4_nl.
bool supports_op(ggml_backend_dev_t device, const ggml_tensor* op) {
    if (op->op == GGML_OP_MUL_MAT_ID && op->op_params[3] == GGML_PREC_F32) return false;
    const bool attends = op->op == GGML_OP_FLASH_ATTN_EXT;
    if (attends && op->src[1]->type == GGML_TYPE_IQ4_NL) return false;
    for (const ggml_tensor* source : op->src) {
        if (source == nullptr || source->buffer == nullptr || is_on(gpu_of(device), source)) {
            continue;
        }
        if (!ggml_backend_buft_is_host(source->buffer->buft)) return false;
    }
    return ggml_backend_dev_supports_op(cpu_device(), op);
}

bool supports_buft(ggml_backend_dev_t device, ggml_backend_buffer_type_t type) {
    return type == &gpu_of(device).buffer_type;
}

std::int64_t batch_size(const ggml_tensor* op) {
    switch (op->op) {
        case GGML_OP_GET_ROWS:
            return 0;
        case GGML_OP_MUL_MAT:
            return op->ne[1];
        case GGML_OP_MUL_MAT_ID:
        case GGML_OP_ROPE:
        case GGML_OP_ROPE_BACK:
            return op->ne[2];
        default:
            return ggml_nrows(op);
    }
}

bool offload_op(ggml_backend_dev_t /*device*/, const ggml_tensor* op) {
    return batch_size(op) >= kOffloadBatch;
}

bool register_host_buffer(void* data, std::size_t bytes) {
    HostRanges& ranges = HostRanges::of_process();
    const std::size_t lockable = gpu_of_environment()->settings.lockable_bytes;
    if (ranges.registered_bytes() + bytes > lockable) return false;
    return ranges.add(data, bytes, HostRanges::Kind::Registered);
}

void unregister_host_buffer(void* data) { HostRanges::of_process().remove(data); }

void* get_proc_address(ggml_backend_reg_t /*reg*/, const char* name) {
    const std::string_view wanted = name;
    if (wanted == "ggml_backend_register_host_buffer") {
        return reinterpret_cast<void*>(register_host_buffer);
    }
    if (wanted == "ggml_backend_unregister_host_buffer") {
        return reinterpret_cast<void*>(unregister_host_buffer);
    }
    return nullptr;
}

}  // namespace

void make_device(Gpu& gpu) {
    gpu.device.reg = &gpu.reg;
    gpu.device.context = &gpu;
    ggml_backend_device_i& iface = gpu.device.iface;
    iface.get_name = device_name;
    iface.get_description = description;
    iface.get_memory = get_memory;
    iface.get_type = get_type;
    iface.get_props = get_props;
    iface.init_backend = [](ggml_backend_dev_t device, const char*) {
        return make_backend(gpu_of(device));
    };
    iface.get_buffer_type = [](ggml_backend_dev_t device) { return &gpu_of(device).buffer_type; };
    iface.get_host_buffer_type = [](ggml_backend_dev_t device) {
        return &gpu_of(device).host_buffer_type;
    };
    iface.supports_op = supports_op;
    iface.supports_buft = supports_buft;
    iface.offload_op = offload_op;
    iface.event_new = event_new;
    iface.event_free = event_free;
    iface.event_synchronize = event_synchronize;
}

void make_reg(Gpu& gpu) {
    gpu.reg.api_version = GGML_BACKEND_API_VERSION;
    gpu.reg.context = &gpu;
    gpu.reg.iface.get_name = [](ggml_backend_reg_t) { return "SIM"; };
    gpu.reg.iface.get_device_count = [](ggml_backend_reg_t) { return std::size_t{1}; };
    gpu.reg.iface.get_device = [](ggml_backend_reg_t reg, std::size_t) {
        return &static_cast<Gpu*>(reg->context)->device;
    };
    gpu.reg.iface.get_proc_address = get_proc_address;
}

Gpu::Gpu(const Settings& told)
    : settings(told),
      memory(told.memory_bytes),
      upload(told.h2d_gbps),
      download(told.d2h_gbps),
      watch(told.on_fault) {
    make_reg(*this);
    make_device(*this);
    make_buffer_types(*this);
}

void Gpu::drain_all() {
    const std::lock_guard lock(queues_mutex);
    for (Worker* queue : queues) queue->drain();
}

void Gpu::open_context() {
    std::call_once(context_opened, [this] { memory.take(settings.context_bytes); });
}

void Gpu::count_kernel() {
    ++n_kernels;
    std::call_once(kernels_loaded, [this] { memory.take(settings.kernel_bytes); });
}

Stats Gpu::stats() const {
    return {upload.bytes_copied(), download.bytes_copied(), n_kernels, memory.peak_bytes()};
}

}  // namespace pshard::simgpu
