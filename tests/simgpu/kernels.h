// Computes graphs by ggml's CPU backend on the device's memory, no faster than the device is said
// to be.
#pragma once

#include <functional>
#include <memory>
#include <vector>

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

    struct Stop {
        int node = 0;
        std::function<void()> before{};  // called when all nodes before it are computed
    };

    // Returns when all is computed; ends the program where the CPU backend fails. `stops`: in the
    // order of their nodes.
    void run(const ggml_cgraph* graph, const std::vector<Stop>& stops = {});

private:
    void run_nodes(const ggml_cgraph* graph, int first, int last);

    struct BackendFree {
        void operator()(ggml_backend_t backend) const { ggml_backend_free(backend); }
    };

    Settings settings_;
    std::unique_ptr<ggml_backend, BackendFree> cpu_{};
};

}  // namespace pshard::simgpu
