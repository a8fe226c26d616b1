// Owners of ggml's objects.
#pragma once

#include <cstddef>
#include <memory>

#include <ggml-backend.h>
#include <ggml.h>

namespace pshard {

template <auto free>
struct FreeBy {
    template <typename Object>
    void operator()(Object* object) const {
        free(object);
    }
};

using BackendHandle = std::unique_ptr<ggml_backend, FreeBy<ggml_backend_free>>;
using BufferHandle = std::unique_ptr<ggml_backend_buffer, FreeBy<ggml_backend_buffer_free>>;
using EventHandle = std::unique_ptr<ggml_backend_event, FreeBy<ggml_backend_event_free>>;

// A ggml context of tensors without memory of their own.
class GgmlContext {
public:
    // Has room for `n_tensors` tensors, including views, and for one graph of as many nodes.
    explicit GgmlContext(std::size_t n_tensors)
        : context_(ggml_init({n_tensors * ggml_tensor_overhead() +
                                  ggml_graph_overhead_custom(n_tensors + 1, false),
                              nullptr,
                              true})) {}

    [[nodiscard]] ggml_context* get() const { return context_.get(); }

private:
    std::unique_ptr<ggml_context, FreeBy<ggml_free>> context_;
};

}  // namespace pshard
