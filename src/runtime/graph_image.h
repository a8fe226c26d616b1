// What a graph was when a pass was compiled from it.
//
// Some models' graphs llama.cpp builds anew for each token (llama4): a new uid, but the same
// tensors at the same addresses. A pass serves every graph that its image shows.
#pragma once

#include <cstdint>
#include <vector>

#include <ggml.h>

struct ggml_cgraph;

namespace pshard {

class GraphImage {
public:
    GraphImage() = default;  // shows none
    explicit GraphImage(const ggml_cgraph& graph);

    // Whether the graph has the same nodes, which read and show the same, and are read as often.
    [[nodiscard]] bool shows(const ggml_cgraph& graph) const;

private:
    void note(const ggml_tensor* tensor);

    std::vector<const ggml_tensor*> tensors_;  // the nodes, then what else they read and show
    std::vector<ggml_tensor> copies_;          // of tensors_
    std::vector<std::int32_t> reads_;          // by node; -1: nobody counted
};

}  // namespace pshard
