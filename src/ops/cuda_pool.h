// What ggml-cuda allocates beside our arena while it computes an op.
//
// ggml-cuda keeps a pool of device memory for each queue that computes. A kernel takes from it what
// it needs besides operands and result (a quantized copy of the second factor, f16 copies for
// cuBLAS, what it sorts in) and gives it back; the pool itself grows to the most that one op takes,
// and never shrinks. Where the device refuses it, ggml-cuda ends the process. So a plan leaves that
// much of its budget free.
//
//     op, its sources        MUL_MAT f16 x f32  ->  f16 copies of the second factor and the result
//                            MUL_MAT q4_K x f32 ->  the second factor in q8_1
//                            MUL_MAT_ID f16     ->  rows sorted by expert, in and out
//
// Holds for NVIDIA cards from compute capability 8.0 on: older ones choose other kernels. What a
// kernel takes by the number of multiprocessors alone (the ends of split tiles, a few MiB whatever
// the batch) is left out where that number is not known: the driver's memory in a GPU profile has
// it (probe/sample_run.h).
//
// Source: ggml/src/ggml-cuda of llama.cpp v0.5.0: ggml-cuda.cu (ggml_cuda_mul_mat,
// ggml_cuda_mul_mat_cublas_impl, ggml_cuda_mul_mat_id, the pools), mmq.cu, mmq.cuh, mmvq.cu,
// mmf.cu, fattn-common.cuh, argsort.cu, top-k.cu, ssm-scan.cu. tests/fakecuda holds the figures
// against the library.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "inventory/inventory.h"

namespace pshard {

// Whose pool this is: the model of a CUDA device, or one that is there ("CUDA0").
[[nodiscard]] bool is_cuda(const DeviceModel& device);

// A tensor as a kernel sees it.
struct PoolTensor {
    std::string_view type;  // as ggml spells it
    Shape shape{1, 1, 1, 1};
    bool is_weight = false;  // llama.cpp asks for no f32 sums where it multiplies with it
};

struct PoolOp {
    std::string_view op;  // as Node::op
    PoolTensor result;
    std::vector<PoolTensor> sources;
};

// The bytes that the op takes of the pool at most, each allocation aligned as the pool does it.
// `n_multiprocessors`: 0 if unknown.
[[nodiscard]] Bytes cuda_pool_bytes(const PoolOp& op, int n_multiprocessors);

// A pool's size is a multiple of this.
inline constexpr Bytes kPoolGranule = 2 * kMiB;  // cuMemGetAllocationGranularity of NVIDIA's cards

// The tokens of the largest batch that a GPU profile samples the driver's memory with.
inline constexpr std::uint32_t kLargestSample = 2048;

// What a plan of all graphs of the inventory leaves of its budget to the pool, and for which node.
struct PoolDemand {
    Bytes bytes = 0;             // a multiple of kPoolGranule; 0: nothing
    std::string node;            // that takes the most
    std::uint32_t n_tokens = 0;  // of its graph

    bool operator==(const PoolDemand&) const = default;
};

// The most that a node of any graph takes, whatever the plan, less what the driver's memory of a
// GPU profile has of it: its sample run multiplies in f16. Nothing on devices that are not CUDA's.
[[nodiscard]] PoolDemand pool_demand(const Inventory& inventory);

// In words, from the bytes on: "64.0 MiB of the budget to CUDA's own pool, which ...".
[[nodiscard]] std::string text_of(const PoolDemand& demand);

}  // namespace pshard
