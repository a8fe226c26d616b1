// How a run is imitated by four ops.
//
// In:   a backend, and the tokens of the largest batch.
// Out:  nothing but what the driver keeps: its kernels, pools and workspaces.
//
//     weights [4096, 14336]  q4_0, f16           -> two matmuls
//     KV cache of 4096 cells, f16                -> flash attention
//     8 experts [4096, 1024], q4_0, 2 a token    -> a matmul of routed experts
//
// A driver takes memory for a kernel when it is first used, and workspaces by the largest batch. So
// one run of each kind of kernel is enough, and values do not matter.
//
// Trap: routes are operands, so they must be valid: zeros send every token to expert 0.
#include "probe/sample_run.h"

#include <cmath>

#include <fmt/format.h>
#include <ggml-alloc.h>

#include "base/counted.h"
#include "ggml_kit/handles.h"

namespace pshard {

namespace {

// The widest dimensions of a model of 8 billion parameters.
constexpr std::int64_t kEmbedding = 4096;
constexpr std::int64_t kFeedForward = 14336;
constexpr std::int64_t kHeads = 32;
constexpr std::int64_t kHeadsKv = 8;
constexpr std::int64_t kHeadDim = 128;
constexpr std::int64_t kCells = 4096;
constexpr std::int64_t kExperts = 8;
constexpr std::int64_t kExpertsUsed = 2;
constexpr std::int64_t kExpertRows = 1024;
constexpr std::size_t kTensors = 32;

class RunGraph {
public:
    RunGraph(ggml_backend_t backend, std::int64_t n_tokens)
        : backend_(backend), n_tokens_(n_tokens), context_(kTensors) {
        graph_ = ggml_new_graph_custom(context_.get(), kTensors, false);
        add(matmul(GGML_TYPE_Q4_0));
        add(matmul(GGML_TYPE_F16));
        add(attention());
        add(experts());
    }

    Status compute() {
        const BufferHandle buffer(ggml_backend_alloc_ctx_tensors(context_.get(), backend_));
        if (!buffer) {
            return Error{fmt::format("{} has too little memory left for a run with {}",
                                     ggml_backend_name(backend_),
                                     counted(n_tokens_, "token")),
                         {}};
        }
        ggml_backend_buffer_clear(buffer.get(), 0);  // all values are 0; all routes go to expert 0
        const ggml_status status = ggml_backend_graph_compute(backend_, graph_);
        if (status == GGML_STATUS_SUCCESS) return Done{};
        return Error{fmt::format("{} stopped computing: {}",
                                 ggml_backend_name(backend_),
                                 ggml_status_to_string(status)),
                     {}};
    }

private:
    void add(ggml_tensor* node) {
        if (ggml_backend_supports_op(backend_, node)) ggml_build_forward_expand(graph_, node);
    }

    ggml_tensor* input(ggml_type type, std::int64_t a, std::int64_t b, std::int64_t c) {
        return ggml_new_tensor_3d(context_.get(), type, a, b, c);
    }

    ggml_tensor* matmul(ggml_type type) {
        return ggml_mul_mat(context_.get(),
                            input(type, kEmbedding, kFeedForward, 1),
                            input(GGML_TYPE_F32, kEmbedding, n_tokens_, 1));
    }

    ggml_tensor* attention() {
        return ggml_flash_attn_ext(context_.get(),
                                   input(GGML_TYPE_F32, kHeadDim, n_tokens_, kHeads),
                                   input(GGML_TYPE_F16, kHeadDim, kCells, kHeadsKv),
                                   input(GGML_TYPE_F16, kHeadDim, kCells, kHeadsKv),
                                   input(GGML_TYPE_F16, kCells, n_tokens_, 1),
                                   1 / std::sqrt(float(kHeadDim)),
                                   0,
                                   0);
    }

    ggml_tensor* experts() {
        ggml_tensor* routes =
            ggml_new_tensor_2d(context_.get(), GGML_TYPE_I32, kExpertsUsed, n_tokens_);
        return ggml_mul_mat_id(context_.get(),
                               input(GGML_TYPE_Q4_0, kEmbedding, kExpertRows, kExperts),
                               input(GGML_TYPE_F32, kEmbedding, 1, n_tokens_),
                               routes);
    }

    ggml_backend_t backend_;
    std::int64_t n_tokens_;
    GgmlContext context_;
    ggml_cgraph* graph_;
};

}  // namespace

Status sample_run(ggml_backend_t backend, std::int64_t n_ubatch) {
    return RunGraph(backend, n_ubatch).compute();
}

}  // namespace pshard
