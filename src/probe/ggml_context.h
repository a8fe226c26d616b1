// A ggml context of tensors without memory of their own.
#pragma once

#include <cstddef>
#include <memory>

#include <ggml.h>

namespace pshard {

class GgmlContext {
public:
    // For `n_tensors` tensors, views counted, and one graph of as many nodes.
    explicit GgmlContext(std::size_t n_tensors)
        : context_(ggml_init({n_tensors * ggml_tensor_overhead() +
                                  ggml_graph_overhead_custom(n_tensors + 1, false),
                              nullptr,
                              true})) {}

    [[nodiscard]] ggml_context* get() const { return context_.get(); }

private:
    struct Free {
        void operator()(ggml_context* context) const { ggml_free(context); }
    };

    std::unique_ptr<ggml_context, Free> context_;
};

}  // namespace pshard
