// The ggml devices of this machine. The profilers load the backends that llama.cpp will use, in the
// way that llama.cpp loads them.
#pragma once

#include <string>
#include <vector>

#include "ggml_kit/device.h"

namespace pshard {

struct DeviceInfo {
    std::string name;         // "CUDA0": what --device takes
    std::string description;  // "NVIDIA H100 80GB HBM3"
    std::string backend;      // "CUDA"
    bool is_gpu = false;      // discrete or integrated
    Bytes total_bytes = 0;    // 0: the backend does not say
    Bytes free_bytes = 0;
    std::string bus_id;  // PCI, "0000:01:00.0"; empty: not known

    bool operator==(const DeviceInfo&) const = default;
};

// Loads all of ggml's backends that lie in `folder`, or where ggml looks itself if there is no such
// folder, and the one that GGML_BACKEND_PATH names. May be called again.
void load_ggml_backends(const std::string& folder);

[[nodiscard]] DeviceInfo info_of(ggml_backend_dev_t device);

// All devices, in ggml's order.
[[nodiscard]] std::vector<DeviceInfo> list_devices();

// The GPU of that name; with an empty name, the first GPU. The Error lists the GPUs that there are.
[[nodiscard]] Result<ggml_backend_dev_t> find_gpu(const std::string& name);

// ggml's CPU device. Fails if no CPU backend is loaded.
[[nodiscard]] Result<ggml_backend_dev_t> find_cpu();

// Opens a backend instance that computes by `n_threads` threads; only the CPU heeds the number.
[[nodiscard]] Result<BackendHandle> open_backend(ggml_backend_dev_t device, int n_threads);

// Takes memory of that type. Fails if the device does not have so much left.
[[nodiscard]] Result<BufferHandle> allocate(ggml_backend_buffer_type_t type, Bytes bytes);

}  // namespace pshard
