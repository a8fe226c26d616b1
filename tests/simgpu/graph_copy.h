// A graph as it was when it was handed over: node structs, parameters, shapes and addresses. The
// host may build its next graph in the same place at once, as it may after a real launch.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include <ggml.h>

#include "simgpu/checker.h"

struct ggml_cgraph;

namespace pshard::simgpu {

class GraphCopy {
public:
    explicit GraphCopy(const ggml_cgraph& original);

    [[nodiscard]] const ggml_cgraph* graph() const { return graph_; }

    [[nodiscard]] std::vector<const ggml_tensor*> nodes() const;

private:
    struct ContextFree {
        void operator()(ggml_context* context) const { ggml_free(context); }
    };

    std::unique_ptr<ggml_context, ContextFree> context_{};
    std::vector<ggml_tensor> tensors_;
    ggml_cgraph* graph_ = nullptr;
};

// Captured graphs, and the trap that they set. CUDA's backend keeps a captured graph for each first
// node, and launches it again without a further look when the uid is the same: with the addresses
// and shapes of the time of the capture.
class Recorder {
public:
    // What runs for this graph: the recorded one when the first node's address and a uid other than
    // 0 are those of the recording; else the graph as it is now, recorded anew.
    std::shared_ptr<const GraphCopy> graph_for(const ggml_cgraph& graph);

private:
    struct Recording {
        std::uint64_t uid = 0;
        std::shared_ptr<const GraphCopy> graph{};
    };

    static constexpr std::size_t kMost = 256;

    std::unordered_map<const void*, Recording> recordings_;
};

}  // namespace pshard::simgpu
