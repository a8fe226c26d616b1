// What the real ggml-cuda takes of its pool for an op, over the fake, beside what ops/cuda_pool.h
// says of it.
//
//   pool_run BACKEND
//
// Prints a line "SEEN PREDICTED OP" for each op of a list, in bytes.
#include <functional>
#include <string>

#include <dlfcn.h>

#include <fmt/format.h>
#include <ggml-backend.h>
#include <ggml.h>

#include "fakecuda/counters.h"
#include "ggml_kit/handles.h"
#include "ops/cuda_pool.h"

namespace pshard::fakecuda {
namespace {

constexpr int kMultiprocessors = 46;  // of the fake
constexpr std::size_t kPools = 1;     // MemoryKind::Pools
constexpr std::size_t kTensors = 32;

// An op to compute: `make` makes it, and its first operand is a weight or a value.
struct PoolCase {
    std::string name;
    std::function<ggml_tensor*(ggml_context*)> make;
    bool is_weight = true;
};

ggml_tensor* matrix(
    ggml_context* context, ggml_type type, std::int64_t a, std::int64_t b, std::int64_t c = 1) {
    return ggml_new_tensor_4d(context, type, a, b, c, 1);
}

std::uint64_t peak_of_pools() {
    static const auto peak = reinterpret_cast<decltype(&fakecuda_peak)>(
        dlsym(dlopen("libcudart.so.13", RTLD_LAZY | RTLD_NOLOAD), "fakecuda_peak"));
    std::uint64_t kinds[8] = {};
    peak(0, kinds);
    return kinds[kPools];
}

PoolTensor seen_by_kernel(const ggml_tensor& tensor) {
    return {ggml_type_name(tensor.type),
            {tensor.ne[0], tensor.ne[1], tensor.ne[2], tensor.ne[3]},
            false};
}

Bytes predicted(const ggml_tensor& op, bool is_weight) {
    PoolOp pool{ggml_op_name(op.op), seen_by_kernel(op), {}};
    for (const ggml_tensor* source : op.src) {
        if (source != nullptr) pool.sources.push_back(seen_by_kernel(*source));
    }
    pool.sources.front().is_weight = is_weight;
    return align_up(cuda_pool_bytes(pool, kMultiprocessors), kPoolGranule);
}

// Computes the op on a queue of its own, whose pool is empty.
void show(ggml_backend_dev_t device, const PoolCase& pool_case) {
    const GgmlContext context(kTensors);
    ggml_tensor* op = pool_case.make(context.get());
    if (!ggml_backend_dev_supports_op(device, op)) return;
    ggml_cgraph* graph = ggml_new_graph_custom(context.get(), kTensors, false);
    ggml_build_forward_expand(graph, op);
    const BackendHandle queue(ggml_backend_dev_init(device, nullptr));
    const BufferHandle buffer(ggml_backend_alloc_ctx_tensors(context.get(), queue.get()));
    peak_of_pools();
    ggml_backend_graph_compute(queue.get(), graph);
    ggml_backend_synchronize(queue.get());
    fmt::print("{} {} {}\n", peak_of_pools(), predicted(*op, pool_case.is_weight), pool_case.name);
}

constexpr ggml_type kTypes[] = {GGML_TYPE_F32,
                                GGML_TYPE_F16,
                                GGML_TYPE_BF16,
                                GGML_TYPE_Q4_0,
                                GGML_TYPE_Q8_0,
                                GGML_TYPE_Q4_K,
                                GGML_TYPE_Q6_K,
                                GGML_TYPE_IQ4_XS,
                                GGML_TYPE_IQ1_M,
                                GGML_TYPE_MXFP4};

void show_weights(ggml_backend_dev_t device) {
    for (const ggml_type type : kTypes) {
        for (const int n : {1, 8, 16, 17, 64, 512, 2048}) {
            show(device,
                 {fmt::format("MUL_MAT {} {} tokens", ggml_type_name(type), n),
                  [=](ggml_context* context) {
                      return ggml_mul_mat(context,
                                          matrix(context, type, 4096, 14336),
                                          matrix(context, GGML_TYPE_F32, 4096, n));
                  }});
        }
    }
}

void show_experts(ggml_backend_dev_t device) {
    for (const ggml_type type : kTypes) {
        for (const int n : {1, 9, 64, 200, 600, 2048}) {
            for (const int n_rows : {768, 2048}) {
                show(device,
                     {fmt::format(
                          "MUL_MAT_ID {} {} tokens {} rows", ggml_type_name(type), n, n_rows),
                      [=](ggml_context* context) {
                          return ggml_mul_mat_id(context,
                                                 matrix(context, type, 2048, n_rows, 16),
                                                 matrix(context, GGML_TYPE_F32, 2048, 1, n),
                                                 matrix(context, GGML_TYPE_I32, 4, n));
                      }});
            }
        }
    }
}

// Products of attention without flash attention: 32 heads that share 8 caches of 8192 cells.
void show_attention(ggml_backend_dev_t device) {
    constexpr int kCells = 8192;
    constexpr int kHead = 128;
    for (const ggml_type type : {GGML_TYPE_F16, GGML_TYPE_BF16, GGML_TYPE_Q8_0, GGML_TYPE_F32}) {
        for (const int n : {1, 16, 64, 512}) {
            const auto kq = [=](ggml_context* context) {
                ggml_tensor* op = ggml_mul_mat(context,
                                               matrix(context, type, kHead, kCells, 8),
                                               matrix(context, GGML_TYPE_F32, kHead, n, 32));
                ggml_prec_set_acc(op, GGML_PREC_F32);
                return op;
            };
            const auto kqv = [=](ggml_context* context) {
                return ggml_mul_mat(context,
                                    matrix(context, type, kCells, kHead, 8),
                                    matrix(context, GGML_TYPE_F32, kCells, n, 32));
            };
            const std::string of = fmt::format("{} {} tokens", ggml_type_name(type), n);
            show(device, {"KQ " + of, kq, false});
            show(device, {"KQV " + of, kqv, false});
        }
    }
    for (const int n : {1, 64, 2048}) {
        show(device, {fmt::format("FLASH_ATTN_EXT {} tokens", n), [=](ggml_context* context) {
                          return ggml_flash_attn_ext(
                              context,
                              matrix(context, GGML_TYPE_F32, kHead, n, 32),
                              matrix(context, GGML_TYPE_F16, kHead, kCells, 8),
                              matrix(context, GGML_TYPE_F16, kHead, kCells, 8),
                              matrix(context, GGML_TYPE_F16, kCells, n),
                              1,
                              0,
                              0);
                      }});
    }
}

void show_others(ggml_backend_dev_t device) {
    for (const int n : {1, 512}) {
        show(device, {fmt::format("ARGSORT {} rows", n), [=](ggml_context* context) {
                          return ggml_argsort(context,
                                              matrix(context, GGML_TYPE_F32, 8192, n),
                                              GGML_SORT_ORDER_DESC);
                      }});
        show(device, {fmt::format("SSM_SCAN {} tokens", n), [=](ggml_context* context) {
                          constexpr int kState = 128;
                          constexpr int kHeads = 48;
                          return ggml_ssm_scan(
                              context,
                              ggml_new_tensor_4d(context, GGML_TYPE_F32, kState, 64, kHeads, 1),
                              ggml_new_tensor_4d(context, GGML_TYPE_F32, 64, kHeads, n, 1),
                              matrix(context, GGML_TYPE_F32, kHeads, n),
                              matrix(context, GGML_TYPE_F32, 1, kHeads),
                              ggml_new_tensor_4d(context, GGML_TYPE_F32, kState, 1, n, 1),
                              ggml_new_tensor_4d(context, GGML_TYPE_F32, kState, 1, n, 1),
                              ggml_new_tensor_1d(context, GGML_TYPE_I32, 1),
                              1);
                      }});
    }
}

int run(const char* backend) {
    ggml_backend_reg_t registry = ggml_backend_load(backend);
    if (registry == nullptr || ggml_backend_reg_dev_count(registry) == 0) return 1;
    ggml_backend_dev_t device = ggml_backend_reg_dev_get(registry, 0);
    show_weights(device);
    show_experts(device);
    show_attention(device);
    show_others(device);
    return 0;
}

}  // namespace
}  // namespace pshard::fakecuda

int main(int argc, char** argv) { return argc == 2 ? pshard::fakecuda::run(argv[1]) : 2; }
