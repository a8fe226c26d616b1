// The device: what its buffers, streams and events share, and the ggml structs that show it.
#pragma once

#include <atomic>
#include <mutex>
#include <set>
#include <string>

#include <ggml-backend-impl.h>

#include "base/worker.h"
#include "simgpu/copy_engine.h"
#include "simgpu/device_memory.h"
#include "simgpu/flag.h"
#include "simgpu/host_ranges.h"
#include "simgpu/host_reads.h"
#include "simgpu/settings.h"
#include "simgpu/watch.h"

namespace pshard::simgpu {

struct Stats {
    std::uint64_t bytes_h2d = 0;
    std::uint64_t bytes_d2h = 0;
    std::uint64_t n_kernels = 0;
    std::uint64_t peak_allocated_bytes = 0;
};

struct Gpu {
    explicit Gpu(const Settings& told);
    Gpu(const Gpu&) = delete;
    Gpu& operator=(const Gpu&) = delete;

    // Until every queue has done what was pushed.
    void drain_all();

    [[nodiscard]] Stats stats() const;

    // What the driver takes of the memory for this process, and for the kernels that it loads when
    // the first of them runs.
    void open_context();
    void count_kernel();

    Settings settings;
    DeviceMemory memory;
    CopyEngine upload;
    CopyEngine download;
    Watch watch;
    HostReads host_reads;
    std::atomic<std::uint64_t> n_kernels = 0;

    // What a driver may hold on to (ggml's Vulkan does): the most records of an event since the
    // host waited for it, and the most that a stream was told since the host waited for that.
    std::atomic<int> most_records = 0;
    std::atomic<int> most_commands = 0;

    std::mutex queues_mutex;
    std::set<Worker*> queues;

    std::once_flag context_opened;
    std::once_flag kernels_loaded;

    ggml_backend_buffer_type buffer_type{};
    ggml_backend_buffer_type host_buffer_type{};
    ggml_backend_device device{};
    ggml_backend_reg reg{};
};

// Each fills the struct of its name.
void make_buffer_types(Gpu& gpu);
void make_device(Gpu& gpu);
void make_reg(Gpu& gpu);

// A stream of the device.
[[nodiscard]] ggml_backend_t make_backend(Gpu& gpu);

// What such a stream works off.
[[nodiscard]] Worker& queue_of(ggml_backend_t backend);

// Whether the tensor's values lie in this device's memory.
[[nodiscard]] bool is_on(const Gpu& gpu, const ggml_tensor* tensor);

// Reports a fault where the device may not write to host memory that a tensor is copied to.
void check_target(Gpu& gpu, const ggml_tensor* tensor, Range target);

// Events.
[[nodiscard]] ggml_backend_event_t event_new(ggml_backend_dev_t device);
void event_free(ggml_backend_dev_t device, ggml_backend_event_t handle);
void event_synchronize(ggml_backend_dev_t device, ggml_backend_event_t handle);

// The device that the environment describes; null, and a line that says why, where it cannot be
// read. Lasts as long as the process.
[[nodiscard]] Gpu* gpu_of_environment();

}  // namespace pshard::simgpu
