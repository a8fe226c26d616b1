// A chain of nodes that each compute next to nothing: what is left of its time is the launches. No
// backend fuses them.
#pragma once

#include <memory>
#include <vector>

#include "ggml_kit/handles.h"
#include "probe/devices.h"

namespace pshard {

class TinyGraph {
public:
    // Makes `n_graphs` graphs of n_nodes/n_graphs nodes each, computed one after the other. Each
    // has an id of its own, as llama.cpp's scheduler gives them, so that a backend may capture and
    // replay it.
    static Result<TinyGraph> make(ggml_backend_dev_t device, int n_nodes, int n_graphs);

    // Queues all graphs; ggml_backend_synchronize waits for them. Fails when the device refuses.
    Status compute(ggml_backend_t backend) const;

private:
    explicit TinyGraph(int n_nodes) : context_(static_cast<std::size_t>(n_nodes) + 1) {}

    GgmlContext context_;
    BufferHandle buffer_{};
    std::vector<std::shared_ptr<ggml_cgraph>> graphs_{};
};

}  // namespace pshard
