// A chain of nodes that each compute next to nothing, so that its time is that of the launches. No
// backend fuses these nodes.
#pragma once

#include <memory>
#include <vector>

#include "ggml_kit/handles.h"
#include "probe/devices.h"

namespace pshard {

class TinyGraph {
public:
    // Makes `n_graphs` graphs of n_nodes/n_graphs nodes each, which are computed one after the
    // other. Each has a uid, as llama.cpp's scheduler gives it, so that a backend may capture and
    // replay the graph.
    static Result<TinyGraph> make(ggml_backend_dev_t device, int n_nodes, int n_graphs);

    // Queues all graphs; ggml_backend_synchronize waits for them. Fails if the device refuses.
    Status compute(ggml_backend_t backend) const;

private:
    explicit TinyGraph(int n_nodes) : context_(static_cast<std::size_t>(n_nodes) + 1) {}

    GgmlContext context_;
    BufferHandle buffer_{};
    std::vector<std::shared_ptr<ggml_cgraph>> graphs_{};
};

}  // namespace pshard
