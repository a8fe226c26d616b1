// Computes graphs by ggml's CPU backend on the device's memory, no faster than the device is said
// to be.
#pragma once

#include <memory>

#include <ggml-backend.h>

#include "simgpu/settings.h"
#include "simgpu/throttle.h"

namespace pshard::simgpu {

// ggml's CPU device, which the host has loaded; ends the program where there is none.
[[nodiscard]] ggml_backend_dev_t cpu_device();

struct NodeWork {
    double flops = 0;
    double bytes = 0;
};

[[nodiscard]] NodeWork work_of(const ggml_tensor* node);

// How long a node takes at least.
[[nodiscard]] double node_seconds(const ggml_tensor* node, const Settings& settings);

class Kernels {
public:
    explicit Kernels(const Settings& settings);

    // Returns when all is computed; ends the program where the CPU backend fails.
    void run(ggml_cgraph* graph);

private:
    struct BackendFree {
        void operator()(ggml_backend_t backend) const { ggml_backend_free(backend); }
    };

    Settings settings_;
    std::unique_ptr<ggml_backend, BackendFree> cpu_{};
};

}  // namespace pshard::simgpu
