// The rules of ggml-cuda, for a machine that has no CUDA device. A comment at each group of rules
// names the file of ggml v0.5.0 that it restates.
//
// In:   an op or a tensor, as llama.cpp's graph has it.
// Out:  whether the device computes the op, and how many bytes the tensor takes in its buffers.
//
//     supports       products, attention and scans have rules of their own; any other op must pass
//                    the rules for moves (rows, copies) and those for arithmetic
//     tensor_bytes   the tensor
//                    + attention: f16 copies of K and V, which its kernel keeps behind the result
//                    + quantized: padding of a row to 512 elements
//
// Traps: an op that no rule names is supported. Which copies attention needs depends on the kernel
// that ggml chooses, and so on the batch: the vector kernel, for one token, reads some quantized
// caches as they are. device_model.h says which devices these rules hold for.
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

bool cache_type_supported(ggml_type type) {
    return is_one_of(type,
                     {GGML_TYPE_F32,
                      GGML_TYPE_F16,
                      GGML_TYPE_BF16,
                      GGML_TYPE_Q4_0,
                      GGML_TYPE_Q4_1,
                      GGML_TYPE_Q5_0,
                      GGML_TYPE_Q5_1,
                      GGML_TYPE_Q8_0});
}

AttentionKernel attention_kernel(const AttentionShape& shape) {
    if (!head_size_supported(shape) || !cache_type_supported(shape.k->type) ||
        !cache_type_supported(shape.v->type) || (shape.mask != nullptr && shape.mask->ne[2] != 1)) {
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
    const ggml_type type = read_as(shape.k->type);
    return type == read_as(shape.v->type) &&
           is_one_of(type, {GGML_TYPE_F16, GGML_TYPE_BF16, GGML_TYPE_Q4_0, GGML_TYPE_Q8_0});
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

bool supports_mul_mat(const ggml_tensor& op) {
    const ggml_tensor* a = op.src[0];
    const ggml_tensor* b = op.src[1];
    if (a->nb[0] != ggml_element_size(a) || b->nb[0] != ggml_element_size(b)) return false;
    if (b->type == GGML_TYPE_F16 && a->type != GGML_TYPE_F16) return false;
    if (op.op == GGML_OP_MUL_MAT_ID && op.op_params[3] == GGML_PREC_F32) return false;
    return !is_one_of(a->type,
                      {GGML_TYPE_TQ1_0,
                       GGML_TYPE_TQ2_0,
                       GGML_TYPE_Q8_1,
                       GGML_TYPE_I8,
                       GGML_TYPE_I16,
                       GGML_TYPE_I32,
                       GGML_TYPE_I64,
                       GGML_TYPE_F64});
}

bool supports_get_rows(const ggml_tensor& op) {
    const ggml_tensor* table = op.src[0];
    if (is_one_of(table->type, {GGML_TYPE_IQ4_NL, GGML_TYPE_MXFP4})) {
        return table->ne[0] % kSuperBlock == 0;
    }
    return !is_one_of(table->type,
                      {GGML_TYPE_TQ1_0,
                       GGML_TYPE_TQ2_0,
                       GGML_TYPE_Q8_1,
                       GGML_TYPE_Q8_K,
                       GGML_TYPE_IQ2_S,
                       GGML_TYPE_NVFP4,
                       GGML_TYPE_I8,
                       GGML_TYPE_I16,
                       GGML_TYPE_I64,
                       GGML_TYPE_F64});
}

bool supports_set_rows(const ggml_tensor& op) {
    const bool index = is_one_of(op.src[1]->type, {GGML_TYPE_I64, GGML_TYPE_I32});
    if (op.src[0]->type == GGML_TYPE_F16) return index && op.type == GGML_TYPE_F16;
    return index && op.src[0]->type == GGML_TYPE_F32 &&
           is_one_of(op.type,
                     {GGML_TYPE_F32,
                      GGML_TYPE_F16,
                      GGML_TYPE_BF16,
                      GGML_TYPE_Q4_0,
                      GGML_TYPE_Q4_1,
                      GGML_TYPE_Q5_0,
                      GGML_TYPE_Q5_1,
                      GGML_TYPE_Q8_0,
                      GGML_TYPE_IQ4_NL});
}

bool supports_copy(const ggml_tensor& op) {
    const ggml_type from = op.src[0]->type;
    const ggml_type to = op.src[1]->type;
    const auto is_float = [](ggml_type type) {
        return is_one_of(type, {GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_BF16});
    };
    const std::initializer_list<ggml_type> both_ways = {GGML_TYPE_Q8_0,
                                                        GGML_TYPE_Q4_0,
                                                        GGML_TYPE_Q4_1,
                                                        GGML_TYPE_Q5_0,
                                                        GGML_TYPE_Q5_1,
                                                        GGML_TYPE_I32};
    if (is_float(from) && is_float(to)) return true;
    if (from == GGML_TYPE_F32 && (is_one_of(to, both_ways) || to == GGML_TYPE_IQ4_NL)) return true;
    if (to == GGML_TYPE_F32 && is_one_of(from, both_ways)) return true;
    if (from == GGML_TYPE_I32 && to == GGML_TYPE_I32) return true;
    return from == to && ggml_is_contiguous(op.src[0]) && ggml_is_contiguous(op.src[1]);
}

bool supports_concat(const ggml_tensor& op) {
    const ggml_tensor* a = op.src[0];
    const ggml_tensor* b = op.src[1];
    if (a->type != b->type || a->type != op.type) return false;
    if (!ggml_is_quantized(a->type)) return ggml_blck_size(a->type) == 1;
    const auto fits = [&](const ggml_tensor* source) {
        const bool packed =
            op.op_params[0] == 3 ? ggml_is_contiguous(source) : ggml_is_contiguous_to_3(source);
        return packed && source->ne[0] % ggml_blck_size(a->type) == 0;
    };
    return fits(a) && fits(b);
}

bool supports_ssm_scan(const ggml_tensor& op) {
    const ggml_tensor* state = op.src[0];
    const bool mamba2 = op.src[3]->ne[0] == 1;
    if (mamba2) {
        return (state->ne[0] == 128 || state->ne[0] == 256) && state->ne[1] % 16 == 0;
    }
    return op.op_params[0] <= 1 && state->ne[0] == 16 && state->ne[1] == 1 &&
           state->ne[2] % 128 == 0 && op.src[4]->ne[1] == 1;
}

// Restates lightning-indexer.cu.
bool supports_lightning_indexer(const ggml_tensor& op) {
    const ggml_tensor* q = op.src[0];
    const ggml_tensor* k = op.src[1];
    return q->ne[0] == 128 && (q->ne[1] == 64 || q->ne[1] == 32) && rows_in_16_bytes(q) &&
           rows_in_16_bytes(k) && cache_type_supported(k->type);
}

bool supports_move(const ggml_tensor& op) {
    switch (op.op) {
        case GGML_OP_GET_ROWS:
            return supports_get_rows(op);
        case GGML_OP_SET_ROWS:
            return supports_set_rows(op);
        case GGML_OP_CPY:
            return supports_copy(op);
        case GGML_OP_CONCAT:
            return supports_concat(op);
        case GGML_OP_REPEAT:
            return is_f32_or_f16(op.src[0]);
        case GGML_OP_ROLL:
            return op.src[0]->type == GGML_TYPE_F32 && ggml_is_contiguous(op.src[0]);
        case GGML_OP_SET:
            return is_one_of(op.type, {GGML_TYPE_F32, GGML_TYPE_I32}) &&
                   op.type == op.src[0]->type && op.type == op.src[1]->type;
        default:
            return true;
    }
}

bool supports_arithmetic(const ggml_tensor& op) {
    switch (op.op) {
        case GGML_OP_UNARY:
            return ggml_is_contiguous(op.src[0]);
        case GGML_OP_GLU:
            return ggml_is_contiguous_1(op.src[0]);
        case GGML_OP_ADD:
        case GGML_OP_SUB:
        case GGML_OP_MUL:
        case GGML_OP_DIV:
            return is_f32_or_f16(op.src[0]) && is_f32_or_f16(op.src[1]) && is_f32_or_f16(&op);
        case GGML_OP_NORM:
        case GGML_OP_RMS_NORM:
        case GGML_OP_L2_NORM:
        case GGML_OP_SUM:
            return ggml_is_contiguous_rows(op.src[0]);
        case GGML_OP_SUM_ROWS:
        case GGML_OP_MEAN:
            return op.src[0]->type == GGML_TYPE_F32 && op.type == GGML_TYPE_F32 &&
                   ggml_is_contiguous_rows(op.src[0]);
        case GGML_OP_ROPE:
            return op.src[0]->nb[0] == ggml_type_size(op.src[0]->type) &&
                   ggml_is_contiguous_2(op.src[0]);
        case GGML_OP_ACC:
        case GGML_OP_IM2COL:
        case GGML_OP_IM2COL_3D:
        case GGML_OP_CONV_2D:
            return ggml_is_contiguous(op.src[0]) && ggml_is_contiguous(op.src[1]);
        case GGML_OP_GROUP_NORM:
            return ggml_is_contiguous(op.src[0]);
        case GGML_OP_DSV4_HC_COMB:
        case GGML_OP_DSV4_HC_PRE:
        case GGML_OP_DSV4_HC_POST:
        case GGML_OP_OUT_PROD:
            return all_f32(op);
        default:
            return true;
    }
}

bool supports(const ggml_tensor& op) {
    switch (op.op) {
        case GGML_OP_MUL_MAT:
        case GGML_OP_MUL_MAT_ID:
            return supports_mul_mat(op);
        case GGML_OP_FLASH_ATTN_EXT:
            return attention_kernel(AttentionShape(op)) != AttentionKernel::None;
        case GGML_OP_SSM_SCAN:
            return supports_ssm_scan(op);
        case GGML_OP_SSM_CONV:
            return op.src[0]->ne[1] % 128 == 0;
        case GGML_OP_LIGHTNING_INDEXER:
            return supports_lightning_indexer(op);
        case GGML_OP_WIN_PART:
        case GGML_OP_WIN_UNPART:
        case GGML_OP_GET_REL_POS:
        case GGML_OP_ADD_REL_POS:
        case GGML_OP_CONV_3D:
        case GGML_OP_FLASH_ATTN_BACK:
        case GGML_OP_MAP_CUSTOM1:
        case GGML_OP_MAP_CUSTOM2:
        case GGML_OP_MAP_CUSTOM3:
        case GGML_OP_CUSTOM:
            return false;
        default:
            return supports_move(op) && supports_arithmetic(op);
    }
}

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
