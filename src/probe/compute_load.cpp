#include "probe/compute_load.h"

#include <utility>

#include <fmt/format.h>
#include <ggml-alloc.h>

namespace pshard {

namespace {

constexpr std::size_t kWeights = 4;
constexpr std::int64_t kExtent = 4096;    // 4 weights of 32 MiB, which most caches cannot hold
constexpr std::uint8_t kSmallValue = 42;  // every byte; that makes 0.05 in F16, 2e-13 in F32

}  // namespace

Result<std::unique_ptr<ComputeLoad>> ComputeLoad::start(ggml_backend_dev_t device) {
    Result<BackendHandle> backend = open_backend(device, 1);
    if (!backend) return backend.error();
    std::unique_ptr<ComputeLoad> load(new ComputeLoad(std::move(backend).value()));
    if (const Status ready = load->prepare(device); !ready) return ready.error();
    load->thread_ = std::thread([raw = load.get()] { raw->run(); });
    return load;
}

ComputeLoad::ComputeLoad(BackendHandle backend)
    : backend_(std::move(backend)), context_(3 * kWeights + 1) {}

ComputeLoad::~ComputeLoad() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
}

// Makes the graph and computes it once, so that pipelines are compiled, and a device that cannot
// compute it says so.
Status ComputeLoad::prepare(ggml_backend_dev_t device) {
    ggml_context* context = context_.get();
    graph_ = ggml_new_graph_custom(context, 2 * kWeights, false);
    ggml_tensor* column = ggml_new_tensor_2d(context, GGML_TYPE_F32, kExtent, 1);
    for (std::size_t i = 0; i < kWeights; i++) {
        ggml_tensor* weight = ggml_new_tensor_2d(context, GGML_TYPE_F16, kExtent, kExtent);
        ggml_build_forward_expand(graph_, ggml_mul_mat(context, weight, column));
    }
    buffer_.reset(
        ggml_backend_alloc_ctx_tensors_from_buft(context, ggml_backend_dev_buffer_type(device)));
    if (!buffer_) {
        return Error{fmt::format("{} has no 128 MiB of memory left to compute on",
                                 ggml_backend_dev_name(device)),
                     {}};
    }
    ggml_backend_buffer_clear(buffer_.get(), kSmallValue);
    if (ggml_backend_graph_compute(backend_.get(), graph_) == GGML_STATUS_SUCCESS) return Done{};
    return Error{fmt::format("{} does not compute", ggml_backend_dev_name(device)), {}};
}

void ComputeLoad::run() {
    ggml_status status = GGML_STATUS_SUCCESS;
    while (!stop_ && status == GGML_STATUS_SUCCESS) {
        status = ggml_backend_graph_compute(backend_.get(), graph_);
    }
}

}  // namespace pshard
