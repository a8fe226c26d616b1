// A graph as it was when it was handed over: node structs, parameters, shapes and addresses. The
// host may build its next graph in the same place at once, as it may after a real launch.
#pragma once

#include <memory>
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

}  // namespace pshard::simgpu
