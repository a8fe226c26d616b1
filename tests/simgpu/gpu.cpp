#include "simgpu/gpu.h"

namespace pshard::simgpu {

Gpu::Gpu(const Settings& told)
    : settings(told),
      memory(told.memory_bytes),
      upload(told.h2d_gbps, told.copy_latency_us),
      download(told.d2h_gbps, told.copy_latency_us),
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
