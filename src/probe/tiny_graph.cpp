#include "probe/tiny_graph.h"

#include <fmt/format.h>
#include <ggml-alloc.h>
#include <ggml-impl.h>

namespace pshard {

namespace {

constexpr std::int64_t kElements = 64;

}  // namespace

Result<TinyGraph> TinyGraph::make(ggml_backend_dev_t device, int n_nodes, int n_graphs) {
    TinyGraph tiny(n_nodes);
    ggml_context* context = tiny.context_.get();
    ggml_tensor* last = ggml_new_tensor_1d(context, GGML_TYPE_F32, kElements);
    ggml_cgraph* whole =
        ggml_new_graph_custom(context, static_cast<std::size_t>(n_nodes) + 1, false);
    for (int i = 0; i < n_nodes; i++) last = ggml_scale(context, last, 0.5F);
    ggml_build_forward_expand(whole, last);
    ggml_backend_buffer_type_t type = ggml_backend_dev_buffer_type(device);
    tiny.buffer_.reset(ggml_backend_alloc_ctx_tensors_from_buft(context, type));
    if (!tiny.buffer_) {
        return Error{
            fmt::format("{} has no memory left for a small graph", ggml_backend_dev_name(device)),
            {}};
    }
    ggml_backend_buffer_clear(tiny.buffer_.get(), 0);
    for (int i = 0; i < n_graphs; i++) {
        const int begin = n_nodes * i / n_graphs;
        const int end = n_nodes * (i + 1) / n_graphs;
        tiny.graphs_.push_back(std::make_shared<ggml_cgraph>(ggml_graph_view(whole, begin, end)));
        tiny.graphs_.back()->uid = ggml_graph_next_uid();
    }
    return tiny;
}

Status TinyGraph::compute(ggml_backend_t backend) const {
    for (const auto& graph : graphs_) {
        const ggml_status status = ggml_backend_graph_compute_async(backend, graph.get());
        if (status == GGML_STATUS_SUCCESS) continue;
        return Error{fmt::format("{} stopped computing: {}",
                                 ggml_backend_name(backend),
                                 ggml_status_to_string(status)),
                     {}};
    }
    return Done{};
}

}  // namespace pshard
