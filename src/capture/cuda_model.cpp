// The rules of ggml-cuda, for a machine that has no CUDA device. A comment at each group of rules
// names the file of ggml v0.5.0 that it restates.
//
// In:   an op or a tensor, as llama.cpp's graph has it.
// Out:  whether the device computes the op, and how many bytes the tensor takes in its buffers.
//
//     supports       kTable: a row for each op that ggml-cuda computes
//     tensor_bytes   the tensor
//                    + attention: f16 copies of K and V, which its kernel keeps behind the result
//                    + quantized: padding of a row to 512 elements
//
// Traps: which copies attention needs depends on the kernel that ggml chooses, and so on the batch:
// the vector kernel, for one token, reads some quantized caches as they are. device_model.h says
// which devices these rules hold for.
#include <ggml.h>

#include <algorithm>
#include <cstring>

#include "capture/device_model.h"
#include "capture/device_rules.h"

namespace pshard {
namespace {

constexpr Bytes kAlignment = 128;                // ggml-cuda.cu, buffer type
constexpr std::int64_t kMatrixRowPadding = 512;  // common.cuh, MATRIX_ROW_PADDING
constexpr std::int64_t kAttentionStride = 256;   // fattn-common.cuh, FATTN_KQ_STRIDE
constexpr std::int64_t kSuperBlock = 256;        // ggml-common.h, QK_K

bool rows_in_16_bytes(const ggml_tensor* tensor) {
    if (tensor == nullptr || ggml_is_quantized(tensor->type)) return true;
    return std::all_of(tensor->nb + 1, tensor->nb + GGML_MAX_DIMS, [](std::size_t stride) {
        return stride % 16 == 0;
    });
}

// ---- flash attention: fattn.cu ----

enum class AttentionKernel { None, Vector, Mma };

struct AttentionShape {
    explicit AttentionShape(const ggml_tensor& op)
        : q(op.src[0]), k(op.src[1]), v(op.src[2]), mask(op.src[3]), gqa(q->ne[2] / k->ne[2]) {
        float max_bias = 0.0F;
        std::memcpy(&max_bias, op.op_params + 1, sizeof(max_bias));
        grouped = gqa >= 2 && mask != nullptr && max_bias == 0.0F &&
                  k->ne[1] % kAttentionStride == 0 && rows_in_16_bytes(q) && rows_in_16_bytes(k) &&
                  rows_in_16_bytes(v) && rows_in_16_bytes(mask);
    }

    const ggml_tensor* q;
    const ggml_tensor* k;
    const ggml_tensor* v;
    const ggml_tensor* mask;
    std::int64_t gqa;      // query heads per KV head
    bool grouped = false;  // the kernels for grouped queries apply
};

bool head_size_supported(const AttentionShape& shape) {
    const std::int64_t k = shape.k->ne[0];
    const std::int64_t v = shape.v->ne[0];
    switch (k) {
        case 40:
        case 64:
        case 72:
        case 80:
        case 96:
        case 112:
        case 128:
        case 256:
            return v == k;
        case 192:
            return v == 128 && shape.grouped && shape.gqa % 8 == 0;
        case 320:
            return v == 256 && shape.grouped && shape.gqa % 32 == 0;
        case 512:
            return v == k && shape.grouped;
        case 576:
            return v == 512 && shape.grouped;
        default:
            return false;
    }
}

// fattn.cu, ggml_cuda_fattn_kv_type_supported
constexpr TypeSet kCacheTypes =
    kFloats.with({GGML_TYPE_Q4_0, GGML_TYPE_Q4_1, GGML_TYPE_Q5_0, GGML_TYPE_Q5_1, GGML_TYPE_Q8_0});

AttentionKernel attention_kernel(const AttentionShape& shape) {
    if (!head_size_supported(shape) || !kCacheTypes.contains(shape.k->type) ||
        !kCacheTypes.contains(shape.v->type) || (shape.mask != nullptr && shape.mask->ne[2] != 1)) {
        return AttentionKernel::None;
    }
    const std::int64_t head = shape.q->ne[0];
    const bool vector_possible = head <= 256 && head % 64 == 0 && head != 192 &&
                                 shape.k->ne[1] % kAttentionStride == 0 && shape.q->ne[1] == 1;
    const bool quantized = ggml_is_quantized(shape.k->type) || ggml_is_quantized(shape.v->type);
    return vector_possible && (quantized || !shape.grouped) ? AttentionKernel::Vector
                                                            : AttentionKernel::Mma;
}

// Whether the vector kernel reads these cache types without a copy, in a build with the default
// GGML_CUDA_FA_QUANTS.
bool vector_kernel_compiled(const AttentionShape& shape) {
    const auto read_as = [](ggml_type type) {
        return type == GGML_TYPE_F32 ? GGML_TYPE_F16 : type;
    };
    constexpr TypeSet kCompiled{GGML_TYPE_F16, GGML_TYPE_BF16, GGML_TYPE_Q4_0, GGML_TYPE_Q8_0};
    const ggml_type type = read_as(shape.k->type);
    return type == read_as(shape.v->type) && kCompiled.contains(type);
}

bool needs_half_copy(const AttentionShape& shape, const ggml_tensor* cache) {
    if (cache->type == GGML_TYPE_F16) return false;
    switch (attention_kernel(shape)) {
        case AttentionKernel::Mma:
            return true;
        case AttentionKernel::Vector:
            return cache->type == GGML_TYPE_F32 || !vector_kernel_compiled(shape);
        case AttentionKernel::None:
            break;
    }
    return false;
}

// Restates ggml_cuda_flash_attn_ext_get_alloc_size: the f16 copies of K and V lie behind the
// result.
Bytes attention_bytes(const ggml_tensor& op) {
    const AttentionShape shape(op);
    const ggml_tensor* k = shape.k;
    const ggml_tensor* v = shape.v;
    const bool v_is_in_k =
        v->view_src != nullptr &&
        (v->view_src == k || (v->view_src == k->view_src && v->view_offs == k->view_offs));
    const auto half_bytes = [](const ggml_tensor* cache) {
        return static_cast<Bytes>(ggml_nelements(cache)) * ggml_type_size(GGML_TYPE_F16);
    };
    Bytes bytes = ggml_nbytes(&op);
    if (needs_half_copy(shape, k)) bytes = align_up(bytes, kAlignment) + half_bytes(k);
    if (needs_half_copy(shape, v) && !v_is_in_k) {
        bytes = align_up(bytes, kAlignment) + half_bytes(v);
    }
    return bytes;
}

// ---- supports_op: ggml-cuda.cu, ggml_backend_cuda_device_supports_op ----

constexpr TypeSet kMatrices = TypeSet::all().without({GGML_TYPE_TQ1_0,
                                                      GGML_TYPE_TQ2_0,
                                                      GGML_TYPE_Q8_1,
                                                      GGML_TYPE_I8,
                                                      GGML_TYPE_I16,
                                                      GGML_TYPE_I32,
                                                      GGML_TYPE_I64,
                                                      GGML_TYPE_F64});
constexpr TypeSet kRowTables =
    kMatrices.without({GGML_TYPE_Q8_K, GGML_TYPE_NVFP4}).with({GGML_TYPE_I32});
constexpr TypeSet kWrittenRows = kCacheTypes.with({GGML_TYPE_IQ4_NL});

bool is_attended(const ggml_tensor& op) {
    return attention_kernel(AttentionShape(op)) != AttentionKernel::None;
}

bool is_multiplied(const ggml_tensor& op) {
    const ggml_tensor* a = op.src[0];
    const ggml_tensor* b = op.src[1];
    if (a->nb[0] != ggml_element_size(a) || b->nb[0] != ggml_element_size(b)) return false;
    if (b->type == GGML_TYPE_F16 && a->type != GGML_TYPE_F16) return false;
    return !wants_f32_factor(op);
}

// The kernel goes by blocks of 256, which rows of types with blocks of 32 need not fill.
bool has_whole_super_blocks(const ggml_tensor& op) {
    constexpr TypeSet kSmallBlocks{GGML_TYPE_IQ4_NL, GGML_TYPE_MXFP4};
    const ggml_tensor* table = op.src[0];
    return !kSmallBlocks.contains(table->type) || table->ne[0] % kSuperBlock == 0;
}

bool rows_are_written(const ggml_tensor& op) {
    if (op.src[0]->type == GGML_TYPE_F16) return op.type == GGML_TYPE_F16;
    return op.src[0]->type == GGML_TYPE_F32;
}

bool is_copied(const ggml_tensor& op) {
    constexpr TypeSet kBothWays{GGML_TYPE_Q8_0,
                                GGML_TYPE_Q4_0,
                                GGML_TYPE_Q4_1,
                                GGML_TYPE_Q5_0,
                                GGML_TYPE_Q5_1,
                                GGML_TYPE_I32};
    const ggml_type from = op.src[0]->type;
    const ggml_type to = op.src[1]->type;
    if (kFloats.contains(from) && kFloats.contains(to)) return true;
    if (from == GGML_TYPE_F32 && (kBothWays.contains(to) || to == GGML_TYPE_IQ4_NL)) return true;
    if (to == GGML_TYPE_F32 && kBothWays.contains(from)) return true;
    if (from == GGML_TYPE_I32 && to == GGML_TYPE_I32) return true;
    return from == to && ggml_is_contiguous(op.src[0]) && ggml_is_contiguous(op.src[1]);
}

bool is_joined(const ggml_tensor& op) {
    const ggml_type type = op.type;
    if (!is_of_one_type(op)) return false;
    if (!ggml_is_quantized(type)) return ggml_blck_size(type) == 1;
    const auto fits = [&](const ggml_tensor* source) {
        const bool packed =
            op.op_params[0] == 3 ? ggml_is_contiguous(source) : ggml_is_contiguous_to_3(source);
        return packed && source->ne[0] % ggml_blck_size(type) == 0;
    };
    return fits(op.src[0]) && fits(op.src[1]);
}

bool is_scanned(const ggml_tensor& op) {
    const ggml_tensor* state = op.src[0];
    const bool mamba2 = op.src[3]->ne[0] == 1;
    if (mamba2) {
        return (state->ne[0] == 128 || state->ne[0] == 256) && state->ne[1] % 16 == 0;
    }
    return op.op_params[0] <= 1 && state->ne[0] == 16 && state->ne[1] == 1 &&
           state->ne[2] % 128 == 0 && op.src[4]->ne[1] == 1;
}

bool is_convolved(const ggml_tensor& op) { return op.src[0]->ne[1] % 128 == 0; }

// lightning-indexer.cu
bool is_indexed(const ggml_tensor& op) {
    const ggml_tensor* q = op.src[0];
    const ggml_tensor* k = op.src[1];
    return q->ne[0] == 128 && (q->ne[1] == 64 || q->ne[1] == 32) && rows_in_16_bytes(q) &&
           rows_in_16_bytes(k) && kCacheTypes.contains(k->type);
}

bool has_dense_values(const ggml_tensor* tensor) {
    return tensor->nb[0] == ggml_type_size(tensor->type) && ggml_is_contiguous_2(tensor);
}

bool is_one_matrix(const ggml_tensor& op) { return op.ne[2] == 1 && op.ne[3] == 1; }

bool has_few_matrices(const ggml_tensor& op) {
    return op.src[0]->ne[2] * op.src[0]->ne[3] <= 1 << 15;
}

bool has_no_bias(const ggml_tensor& op) {
    float max_bias = 0.0F;
    std::memcpy(&max_bias, op.op_params + 1, sizeof(max_bias));
    return max_bias == 0.0F;
}

// In ggml's order. Of the unary ops and the gates ggml-cuda has all.
constexpr OpSupport kTable[] = {
    {.op = GGML_OP_NONE},
    {.op = GGML_OP_DUP},
    {.op = GGML_OP_ADD, .first = kF32F16, .second = kF32F16, .result = kF32F16},
    {.op = GGML_OP_ADD_ID},
    {.op = GGML_OP_ADD1},
    {.op = GGML_OP_ACC, .layout = ggml_is_contiguous, .also = second_is_contiguous},
    {.op = GGML_OP_SUB, .first = kF32F16, .second = kF32F16, .result = kF32F16},
    {.op = GGML_OP_MUL, .first = kF32F16, .second = kF32F16, .result = kF32F16},
    {.op = GGML_OP_DIV, .first = kF32F16, .second = kF32F16, .result = kF32F16},
    {.op = GGML_OP_SQR},
    {.op = GGML_OP_SQRT},
    {.op = GGML_OP_LOG},
    {.op = GGML_OP_SIN},
    {.op = GGML_OP_COS},
    {.op = GGML_OP_SUM, .layout = ggml_is_contiguous_rows},
    {.op = GGML_OP_SUM_ROWS, .first = kF32, .result = kF32, .layout = ggml_is_contiguous_rows},
    {.op = GGML_OP_CUMSUM},
    {.op = GGML_OP_MEAN, .first = kF32, .result = kF32, .layout = ggml_is_contiguous_rows},
    {.op = GGML_OP_ARGMAX},
    {.op = GGML_OP_COUNT_EQUAL},
    {.op = GGML_OP_REPEAT, .first = kF32F16},
    {.op = GGML_OP_REPEAT_BACK, .result = kF32, .also = has_few_matrices},
    {.op = GGML_OP_CONCAT, .also = is_joined},
    {.op = GGML_OP_SILU_BACK, .first = kF32, .layout = ggml_is_contiguous},
    {.op = GGML_OP_NORM, .layout = ggml_is_contiguous_rows},
    {.op = GGML_OP_RMS_NORM, .layout = ggml_is_contiguous_rows},
    {.op = GGML_OP_RMS_NORM_BACK, .layout = ggml_is_contiguous},
    {.op = GGML_OP_GROUP_NORM, .layout = ggml_is_contiguous},
    {.op = GGML_OP_L2_NORM, .layout = ggml_is_contiguous_rows},
    {.op = GGML_OP_MUL_MAT, .first = kMatrices, .also = is_multiplied},
    {.op = GGML_OP_MUL_MAT_ID, .first = kMatrices, .also = is_multiplied},
    {.op = GGML_OP_OUT_PROD, .first = kF32, .second = kF32, .result = kF32},
    {.op = GGML_OP_SCALE},
    {.op = GGML_OP_SET, .result = kF32I32, .also = is_of_one_type},
    {.op = GGML_OP_CPY, .also = is_copied},
    {.op = GGML_OP_CONT},
    {.op = GGML_OP_RESHAPE},
    {.op = GGML_OP_VIEW},
    {.op = GGML_OP_PERMUTE},
    {.op = GGML_OP_TRANSPOSE},
    {.op = GGML_OP_GET_ROWS, .first = kRowTables, .also = has_whole_super_blocks},
    {.op = GGML_OP_GET_ROWS_BACK, .first = kF32, .result = kF32, .also = is_one_matrix},
    {.op = GGML_OP_SET_ROWS, .second = kIndices, .result = kWrittenRows, .also = rows_are_written},
    {.op = GGML_OP_DIAG},
    {.op = GGML_OP_DIAG_MASK_INF},
    {.op = GGML_OP_SOFT_MAX},
    {.op = GGML_OP_SOFT_MAX_BACK, .also = has_no_bias},
    {.op = GGML_OP_ROPE, .layout = has_dense_values},
    {.op = GGML_OP_ROPE_BACK, .layout = has_dense_values},
    {.op = GGML_OP_CLAMP},
    {.op = GGML_OP_CONV_TRANSPOSE_1D, .first = kF32, .second = kF32},
    {.op = GGML_OP_IM2COL, .layout = ggml_is_contiguous, .also = second_is_contiguous},
    {.op = GGML_OP_IM2COL_3D, .layout = ggml_is_contiguous, .also = second_is_contiguous},
    {.op = GGML_OP_COL2IM_1D,
     .first = kFloats,
     .layout = ggml_is_contiguous,
     .also = keeps_type_and_order},
    {.op = GGML_OP_CONV_2D, .layout = ggml_is_contiguous, .also = second_is_contiguous},
    {.op = GGML_OP_CONV_2D_DW, .first = kF32},
    {.op = GGML_OP_CONV_TRANSPOSE_2D},
    {.op = GGML_OP_POOL_1D},
    {.op = GGML_OP_POOL_2D},
    {.op = GGML_OP_UPSCALE},
    {.op = GGML_OP_PAD},
    {.op = GGML_OP_PAD_REFLECT_1D},
    {.op = GGML_OP_ROLL, .first = kF32, .layout = ggml_is_contiguous},
    {.op = GGML_OP_ARANGE},
    {.op = GGML_OP_TIMESTEP_EMBEDDING},
    {.op = GGML_OP_ARGSORT},
    {.op = GGML_OP_TOP_K},
    {.op = GGML_OP_LEAKY_RELU},
    {.op = GGML_OP_TRI},
    {.op = GGML_OP_FILL},
    {.op = GGML_OP_FLASH_ATTN_EXT, .also = is_attended},
    {.op = GGML_OP_SSM_CONV, .also = is_convolved},
    {.op = GGML_OP_SSM_SCAN, .also = is_scanned},
    {.op = GGML_OP_RWKV_WKV6},
    {.op = GGML_OP_GATED_LINEAR_ATTN},
    {.op = GGML_OP_RWKV_WKV7},
    {.op = GGML_OP_SOLVE_TRI},
    {.op = GGML_OP_GATED_DELTA_NET},
    {.op = GGML_OP_LIGHTNING_INDEXER, .also = is_indexed},
    {.op = GGML_OP_DSV4_HC_COMB, .also = all_f32},
    {.op = GGML_OP_DSV4_HC_PRE, .also = all_f32},
    {.op = GGML_OP_DSV4_HC_POST, .also = all_f32},
    {.op = GGML_OP_UNARY, .layout = ggml_is_contiguous},
    {.op = GGML_OP_CROSS_ENTROPY_LOSS},
    {.op = GGML_OP_CROSS_ENTROPY_LOSS_BACK},
    {.op = GGML_OP_OPT_STEP_ADAMW},
    {.op = GGML_OP_OPT_STEP_SGD},
    {.op = GGML_OP_GLU, .layout = ggml_is_contiguous_1},
};

bool supports(const ggml_tensor& op) { return is_in_table(kTable, op); }

// ---- get_alloc_size ----

// Restates ggml_backend_cuda_buffer_type_get_alloc_size.
Bytes tensor_bytes(const ggml_tensor& tensor) {
    Bytes bytes =
        tensor.op == GGML_OP_FLASH_ATTN_EXT ? attention_bytes(tensor) : ggml_nbytes(&tensor);
    const std::int64_t tail = tensor.ne[0] % kMatrixRowPadding;
    if (ggml_is_quantized(tensor.type) && tail != 0) {
        bytes += ggml_row_size(tensor.type, kMatrixRowPadding - tail);
    }
    return bytes;
}

}  // namespace

std::unique_ptr<DevicePolicy> make_cuda_model() {
    return std::make_unique<ModelledDevice>(
        DeviceRules{{"cuda", kAlignment, ~Bytes{0}}, tensor_bytes, supports});
}

}  // namespace pshard
