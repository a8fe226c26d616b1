// The rules of ggml-vulkan (ggml v0.5.0, ggml/src/ggml-vulkan/ggml-vulkan.cpp), for a machine that
// has no Vulkan device. capture/device_model.h describes the device that they hold for.
//
// In:   an op or a tensor, as llama.cpp's graph has it.
// Out:  whether the device computes the op, and how many bytes the tensor takes in its buffers.
//
// The device computes an op that has a shader (`exists`), whose tensors each fit a storage buffer,
// and that passes the rules for kernels (products, attention, scans), for moves (rows, copies) and
// for arithmetic. A tensor takes its own bytes and no more.
//
// Trap: an op that no rule names is supported.
#include <ggml.h>

#include <algorithm>

#include "capture/device_model.h"
#include "capture/device_rules.h"

namespace pshard {
namespace {

constexpr Bytes kAlignment = 64;                  // minStorageBufferOffsetAlignment
constexpr Bytes kMaxBuffer = kGiB;                // suballocation_block_size
constexpr Bytes kMaxStorageRange = 4 * kGiB - 1;  // maxStorageBufferRange
constexpr std::int64_t kMaxWorkgroup = 1024;
constexpr std::int64_t kSharedMemory = std::int64_t{32} * 1024;

bool is_f32(const ggml_tensor* tensor) { return tensor->type == GGML_TYPE_F32; }

bool is_copyable_quant(ggml_type type) {
    return is_one_of(type,
                     {GGML_TYPE_Q1_0,
                      GGML_TYPE_Q2_0,
                      GGML_TYPE_Q4_0,
                      GGML_TYPE_Q4_1,
                      GGML_TYPE_Q5_0,
                      GGML_TYPE_Q5_1,
                      GGML_TYPE_Q8_0,
                      GGML_TYPE_IQ4_NL});
}

bool is_matrix_type(ggml_type type) {
    return !is_one_of(type,
                      {GGML_TYPE_Q8_1,
                       GGML_TYPE_Q8_K,
                       GGML_TYPE_I8,
                       GGML_TYPE_I16,
                       GGML_TYPE_I32,
                       GGML_TYPE_I64,
                       GGML_TYPE_F64});
}

bool fits_storage_range(const ggml_tensor& op) {
    const auto fits = [](const ggml_tensor* tensor) {
        return tensor == nullptr || ggml_nbytes(tensor) <= kMaxStorageRange;
    };
    return fits(&op) && std::all_of(op.src, op.src + GGML_MAX_SRC, fits);
}

// Restates ggml_vk_dim01_contiguous.
bool rows_are_dense(const ggml_tensor* tensor) {
    const std::size_t row = tensor->nb[0] * static_cast<std::size_t>(tensor->ne[0]) /
                            static_cast<std::size_t>(ggml_blck_size(tensor->type));
    return tensor->nb[0] == ggml_type_size(tensor->type) && tensor->nb[1] == row &&
           (tensor->ne[3] == 1 ||
            tensor->nb[3] == tensor->nb[2] * static_cast<std::size_t>(tensor->ne[2]));
}

bool supports_mul_mat(const ggml_tensor& op) {
    const ggml_tensor* a = op.src[0];
    const ggml_tensor* b = op.src[1];
    const bool by_id = op.op == GGML_OP_MUL_MAT_ID;
    if (by_id && op.op_params[3] == GGML_PREC_F32) return false;
    if (!is_matrix_type(a->type) || (by_id ? op.src[2] : a)->ne[3] != b->ne[3]) return false;
    if (!rows_are_dense(a) && !is_f32_or_f16(a) && a->type != GGML_TYPE_BF16) return false;
    if (!rows_are_dense(b) && !is_f32_or_f16(b)) return false;
    return a->type != GGML_TYPE_BF16 || b->type != GGML_TYPE_F16;
}

bool supports_flash_attention(const ggml_tensor& op) {
    const ggml_tensor* k = op.src[1];
    const ggml_tensor* v = op.src[2];
    const auto readable = [](const ggml_tensor* cache) {
        return is_one_of(cache->type,
                         {GGML_TYPE_F32,
                          GGML_TYPE_F16,
                          GGML_TYPE_BF16,
                          GGML_TYPE_Q8_0,
                          GGML_TYPE_Q5_1,
                          GGML_TYPE_Q5_0,
                          GGML_TYPE_Q4_1,
                          GGML_TYPE_Q4_0,
                          GGML_TYPE_IQ4_NL});
    };
    if (k->ne[0] % 8 != 0 || v->ne[0] % 8 != 0) return false;
    if (!readable(k) || !readable(v)) return false;
    if ((k->type == GGML_TYPE_BF16) != (v->type == GGML_TYPE_BF16)) return false;
    if (op.src[3] != nullptr && op.src[3]->type != GGML_TYPE_F16) return false;
    if (op.src[4] != nullptr && !is_f32(op.src[4])) return false;
    return is_f32(op.src[0]) && is_f32(&op);
}

bool supports_set_rows(const ggml_tensor& op) {
    return is_f32_or_f16(op.src[0]) && is_one_of(op.src[1]->type, {GGML_TYPE_I32, GGML_TYPE_I64}) &&
           (is_f32_or_f16(&op) || op.type == GGML_TYPE_BF16 || is_copyable_quant(op.type));
}

// For CONT, CPY and DUP.
bool supports_copy(const ggml_tensor& op) {
    const ggml_type from = op.src[0]->type;
    const ggml_type to = op.src[1] != nullptr ? op.src[1]->type : from;
    const auto pairs_with_f32 = [](ggml_type type) {
        return is_one_of(type, {GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_BF16, GGML_TYPE_I32}) ||
               is_copyable_quant(type);
    };
    if (from == GGML_TYPE_F32 && pairs_with_f32(to)) return true;
    if (to == GGML_TYPE_F32 && pairs_with_f32(from)) return true;
    if (from != to) return false;
    if (ggml_is_quantized(from) && !(ggml_is_contiguous(op.src[0]) && ggml_is_contiguous(&op))) {
        return false;
    }
    return ggml_type_size(from) % 2 == 0;
}

bool supports_concat(const ggml_tensor& op) {
    const ggml_tensor* a = op.src[0];
    const ggml_tensor* b = op.src[1];
    if (a->type != b->type || a->type != op.type) return false;
    return !ggml_is_quantized(a->type) ||
           (ggml_is_contiguous_rows(a) && ggml_is_contiguous_rows(b) &&
            ggml_is_contiguous_rows(&op));
}

bool supports_solve_tri(const ggml_tensor& op) {
    const std::int64_t n = op.src[0]->ne[0];
    const std::int64_t k = op.src[1]->ne[0];
    const auto row = static_cast<std::int64_t>(sizeof(float)) * (n + k);
    return is_f32(&op) && is_f32(op.src[0]) && k <= kMaxWorkgroup && row <= kSharedMemory;
}

bool supports_ssm_scan(const ggml_tensor& op) {
    const std::int64_t state = op.src[0]->ne[0];
    const bool mamba2 = op.src[3] != nullptr && op.src[3]->nb[1] == sizeof(float);
    return mamba2 && is_f32(op.src[0]) && is_f32(&op) && (state == 128 || state == 256) &&
           op.src[0]->ne[1] % 16 == 0;
}

bool supports_gated_delta_net(const ggml_tensor& op) {
    const std::int64_t head = op.src[2]->ne[0];
    return (head == 16 || head == 32 || head == 64 || head == 128) && all_f32(op);
}

bool supports_lightning_indexer(const ggml_tensor& op) {
    const auto offset_aligned = [](const ggml_tensor* tensor) {
        return tensor == nullptr || tensor->view_offs % kAlignment == 0;
    };
    return op.src[0]->ne[0] == 128 && std::all_of(op.src, op.src + 4, offset_aligned) &&
           is_one_of(op.src[1]->type,
                     {GGML_TYPE_F32,
                      GGML_TYPE_F16,
                      GGML_TYPE_BF16,
                      GGML_TYPE_Q8_0,
                      GGML_TYPE_Q5_1,
                      GGML_TYPE_Q5_0,
                      GGML_TYPE_Q4_1,
                      GGML_TYPE_Q4_0});
}

bool supports_kernel(const ggml_tensor& op) {
    switch (op.op) {
        case GGML_OP_MUL_MAT:
        case GGML_OP_MUL_MAT_ID:
            return supports_mul_mat(op);
        case GGML_OP_FLASH_ATTN_EXT:
            return supports_flash_attention(op);
        case GGML_OP_SOLVE_TRI:
            return supports_solve_tri(op);
        case GGML_OP_SSM_SCAN:
            return supports_ssm_scan(op);
        case GGML_OP_SSM_CONV:
            return is_f32(op.src[0]);
        case GGML_OP_GATED_DELTA_NET:
            return supports_gated_delta_net(op);
        case GGML_OP_GATED_LINEAR_ATTN:
            return all_f32(op) && op.src[0]->ne[0] == 64;
        case GGML_OP_LIGHTNING_INDEXER:
            return supports_lightning_indexer(op);
        case GGML_OP_DSV4_HC_COMB:
            return all_f32(op);
        case GGML_OP_DSV4_HC_PRE:
            return all_f32(op) && op.src[0]->ne[1] == 4;
        case GGML_OP_DSV4_HC_POST:
            return all_f32(op) && op.src[1]->ne[1] == 4;
        default:
            return true;
    }
}

bool supports_move(const ggml_tensor& op) {
    switch (op.op) {
        case GGML_OP_GET_ROWS:
            return is_matrix_type(op.src[0]->type) || op.src[0]->type == GGML_TYPE_I32;
        case GGML_OP_SET_ROWS:
            return supports_set_rows(op);
        case GGML_OP_CONT:
        case GGML_OP_CPY:
        case GGML_OP_DUP:
            return supports_copy(op);
        case GGML_OP_CONCAT:
            return supports_concat(op);
        case GGML_OP_REPEAT:
            return ggml_type_size(op.type) == ggml_type_size(op.src[0]->type) &&
                   (ggml_type_size(op.type) == 4 || ggml_type_size(op.type) == 2);
        case GGML_OP_ARGSORT:
        case GGML_OP_TOP_K:
            return ggml_is_contiguous(&op) && ggml_is_contiguous(op.src[0]);
        case GGML_OP_ARGMAX:
            return ggml_is_contiguous(op.src[0]) && is_f32(op.src[0]);
        case GGML_OP_SET:
            return op.src[0]->type == op.src[1]->type && op.src[0]->type == op.type &&
                   is_one_of(op.type, {GGML_TYPE_F32, GGML_TYPE_I32});
        case GGML_OP_PAD:
        case GGML_OP_ROLL:
            return is_f32(op.src[0]);
        case GGML_OP_ACC:
            return all_f32(op);
        case GGML_OP_FILL:
            return is_f32_or_f16(&op);
        default:
            return true;
    }
}

bool supports_arithmetic(const ggml_tensor& op) {
    switch (op.op) {
        case GGML_OP_UNARY:
            return is_f32_or_f16(op.src[0]) && op.src[0]->type == op.type;
        case GGML_OP_GLU:
            return is_f32_or_f16(op.src[0]) && op.src[0]->type == op.type &&
                   (op.src[1] == nullptr || op.src[1]->type == op.src[0]->type);
        case GGML_OP_ADD:
        case GGML_OP_SUB:
        case GGML_OP_MUL:
        case GGML_OP_DIV:
            return is_f32_or_f16(op.src[0]) && is_f32_or_f16(op.src[1]) && is_f32_or_f16(&op);
        case GGML_OP_ADD_ID:
            return is_f32(op.src[0]) && is_f32(op.src[1]) && is_f32(&op) &&
                   op.src[2]->type == GGML_TYPE_I32;
        case GGML_OP_SQR:
        case GGML_OP_SQRT:
        case GGML_OP_SIN:
        case GGML_OP_COS:
        case GGML_OP_CLAMP:
        case GGML_OP_LEAKY_RELU:
        case GGML_OP_LOG:
        case GGML_OP_TRI:
        case GGML_OP_DIAG:
            return is_f32_or_f16(op.src[0]) && op.type == op.src[0]->type;
        case GGML_OP_NORM:
        case GGML_OP_L2_NORM:
            return is_f32(op.src[0]) && is_f32(&op);
        case GGML_OP_GROUP_NORM:
            return ggml_is_contiguous(op.src[0]);
        case GGML_OP_ROPE:
            return ggml_is_contiguous_rows(&op) && ggml_is_contiguous_rows(op.src[0]);
        case GGML_OP_SCALE:
        case GGML_OP_DIAG_MASK_INF:
            return ggml_is_contiguous(op.src[0]) && is_f32(op.src[0]);
        case GGML_OP_SOFT_MAX:
            return ggml_is_contiguous(op.src[0]) && is_f32(op.src[0]) &&
                   (op.src[1] == nullptr || is_f32_or_f16(op.src[1]));
        case GGML_OP_SUM:
        case GGML_OP_SUM_ROWS:
        case GGML_OP_MEAN:
        case GGML_OP_CUMSUM:
            return is_f32(op.src[0]) && ggml_is_contiguous_rows(op.src[0]);
        case GGML_OP_OUT_PROD:
            return all_f32(op) && ggml_is_contiguous(op.src[0]) && ggml_is_contiguous(op.src[1]);
        default:
            return true;
    }
}

bool exists(ggml_op op) {
    switch (op) {
        case GGML_OP_DIAG_MASK_ZERO:
        case GGML_OP_WIN_PART:
        case GGML_OP_WIN_UNPART:
        case GGML_OP_GET_REL_POS:
        case GGML_OP_ADD_REL_POS:
        case GGML_OP_FLASH_ATTN_BACK:
        case GGML_OP_MAP_CUSTOM1:
        case GGML_OP_MAP_CUSTOM2:
        case GGML_OP_MAP_CUSTOM3:
        case GGML_OP_CUSTOM:
            return false;
        default:
            return true;
    }
}

Bytes tensor_bytes(const ggml_tensor& tensor) { return ggml_nbytes(&tensor); }

bool supports(const ggml_tensor& op) {
    return exists(op.op) && fits_storage_range(op) && supports_kernel(op) && supports_move(op) &&
           supports_arithmetic(op);
}

}  // namespace

std::unique_ptr<DevicePolicy> make_vulkan_model() {
    return std::make_unique<ModelledDevice>(
        DeviceRules{{"vulkan", kAlignment, kMaxBuffer}, tensor_bytes, supports});
}

}  // namespace pshard
