// The ggml devices of this machine, as the profilers see them: the backends that llama.cpp will
// use, loaded the way that it loads them.
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

// Loads all of ggml's backends that lie in `folder` (not there: where ggml looks by itself), and
// the one that GGML_BACKEND_PATH names. May be called again.
void load_ggml_backends(const std::string& folder);

// All devices, in ggml's order.
[[nodiscard]] std::vector<DeviceInfo> list_devices();

// The device of that name; with an empty name the first GPU. The Error lists what there is.
[[nodiscard]] Result<ggml_backend_dev_t> find_gpu(const std::string& name);

// ggml's CPU device. Fails when no CPU backend is loaded.
[[nodiscard]] Result<ggml_backend_dev_t> find_cpu();

// The same with threads of its own; `n_threads` counts for the CPU only.
[[nodiscard]] Result<BackendHandle> open_backend(ggml_backend_dev_t device, int n_threads);

// Fails when the device has not that much memory left.
[[nodiscard]] Result<BufferHandle> allocate(ggml_backend_buffer_type_t type, Bytes bytes);

}  // namespace pshard
