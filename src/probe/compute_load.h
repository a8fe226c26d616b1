// A load for a device: matmuls that read their weights from its memory, as when a model generates,
// over and over in the background.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "ggml_kit/handles.h"
#include "probe/devices.h"

namespace pshard {

class ComputeLoad {
public:
    // Computes from when this returns until destruction. Fails when memory is short, or the device
    // refuses.
    static Result<std::unique_ptr<ComputeLoad>> start(ggml_backend_dev_t device);
    ComputeLoad(const ComputeLoad&) = delete;
    ComputeLoad& operator=(const ComputeLoad&) = delete;
    ~ComputeLoad();  // when the graph under way has ended

private:
    explicit ComputeLoad(BackendHandle backend);
    Status prepare(ggml_backend_dev_t device);
    void run();

    BufferHandle buffer_{};
    BackendHandle backend_;  // goes before its buffer
    GgmlContext context_;
    ggml_cgraph* graph_ = nullptr;
    std::atomic<bool> stop_{false};
    std::thread thread_{};
};

}  // namespace pshard
