// A load for a device: in the background it computes matmuls over and over, which read their
// weights from the device's memory as a model does that generates.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "ggml_kit/handles.h"
#include "probe/devices.h"

namespace pshard {

class ComputeLoad {
public:
    // The load computes from now until its destruction. Fails if memory is short, or the device
    // refuses.
    static Result<std::unique_ptr<ComputeLoad>> start(ggml_backend_dev_t device);
    ComputeLoad(const ComputeLoad&) = delete;
    ComputeLoad& operator=(const ComputeLoad&) = delete;
    ~ComputeLoad();  // waits for the graph under way

private:
    explicit ComputeLoad(BackendHandle backend);
    Status prepare(ggml_backend_dev_t device);
    void run();

    BufferHandle buffer_{};
    BackendHandle backend_;  // must be freed before its buffer
    GgmlContext context_;
    ggml_cgraph* graph_ = nullptr;
    std::atomic<bool> stop_{false};
    std::thread thread_{};
};

}  // namespace pshard
