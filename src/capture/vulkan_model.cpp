// The rules of ggml-vulkan (ggml v0.5.0, ggml/src/ggml-vulkan/ggml-vulkan.cpp), for a machine that
// has no Vulkan device. capture/device_model.h describes the device that they hold for.
//
// In:   an op or a tensor, as llama.cpp's graph has it.
// Out:  whether the device computes the op, and how many bytes the tensor takes in its buffers.
//
// The device computes an op that has a row in kTable and is as the row says, if each of its tensors
// fits a storage buffer. A tensor takes its own bytes and no more.
//
// Trap: the shader of the newest ops may need a feature of the device that this model takes for
// granted (device_model.h).
#include <ggml.h>

#include <algorithm>

#include "capture/device_model.h"
#include "capture/device_rules.h"

namespace pshard {
namespace {

constexpr Bytes kAlignment = 64;    // minStorageBufferOffsetAlignment
constexpr Bytes kMaxBuffer = kGiB;  // suballocation_block_size
constexpr std::int64_t kMaxWorkgroup = 1024;
constexpr std::int64_t kSharedMemory = std::int64_t{32} * 1024;

// ---- supports_op: ggml_backend_vk_device_supports_op ----

constexpr TypeSet kMatrices = TypeSet::all().without({GGML_TYPE_Q8_1,
                                                      GGML_TYPE_Q8_K,
                                                      GGML_TYPE_I8,
                                                      GGML_TYPE_I16,
                                                      GGML_TYPE_I32,
                                                      GGML_TYPE_I64,
                                                      GGML_TYPE_F64});
constexpr TypeSet kOldQuants{GGML_TYPE_Q4_0,
                             GGML_TYPE_Q4_1,
                             GGML_TYPE_Q5_0,
                             GGML_TYPE_Q5_1,
                             GGML_TYPE_Q8_0,
                             GGML_TYPE_IQ4_NL};
constexpr TypeSet kCopiedQuants = kOldQuants.with({GGML_TYPE_Q1_0, GGML_TYPE_Q2_0});
constexpr TypeSet kCacheTypes = kFloats.with(kOldQuants);
constexpr TypeSet kIndexedTypes = kCacheTypes.without({GGML_TYPE_IQ4_NL});

// Restates ggml_vk_dim01_contiguous.
bool rows_are_dense(const ggml_tensor* tensor) {
    const std::size_t row = tensor->nb[0] * static_cast<std::size_t>(tensor->ne[0]) /
                            static_cast<std::size_t>(ggml_blck_size(tensor->type));
    return tensor->nb[0] == ggml_type_size(tensor->type) && tensor->nb[1] == row &&
           (tensor->ne[3] == 1 ||
            tensor->nb[3] == tensor->nb[2] * static_cast<std::size_t>(tensor->ne[2]));
}

bool is_multiplied(const ggml_tensor& op) {
    const ggml_tensor* a = op.src[0];
    const ggml_tensor* b = op.src[1];
    const bool by_id = op.op == GGML_OP_MUL_MAT_ID;
    if (wants_f32_factor(op) || (by_id ? op.src[2] : a)->ne[3] != b->ne[3]) return false;
    if (!rows_are_dense(a) && !kFloats.contains(a->type)) return false;
    if (!rows_are_dense(b) && !kF32F16.contains(b->type)) return false;
    return a->type != GGML_TYPE_BF16 || b->type != GGML_TYPE_F16;
}

bool is_attended(const ggml_tensor& op) {
    const ggml_tensor* k = op.src[1];
    const ggml_tensor* v = op.src[2];
    if (k->ne[0] % 8 != 0 || v->ne[0] % 8 != 0 || !kCacheTypes.contains(v->type)) return false;
    if ((k->type == GGML_TYPE_BF16) != (v->type == GGML_TYPE_BF16)) return false;
    if (op.src[3] != nullptr && op.src[3]->type != GGML_TYPE_F16) return false;
    return op.src[4] == nullptr || op.src[4]->type == GGML_TYPE_F32;
}

// For CONT, CPY and DUP.
bool is_copied(const ggml_tensor& op) {
    constexpr TypeSet kBesideF32 = kFloats.with(kCopiedQuants).with({GGML_TYPE_I32});
    const ggml_type from = op.src[0]->type;
    const ggml_type to = op.src[1] != nullptr ? op.src[1]->type : from;
    if (from == GGML_TYPE_F32 && kBesideF32.contains(to)) return true;
    if (to == GGML_TYPE_F32 && kBesideF32.contains(from)) return true;
    if (from != to) return false;
    if (ggml_is_quantized(from) && !(ggml_is_contiguous(op.src[0]) && ggml_is_contiguous(&op))) {
        return false;
    }
    return ggml_type_size(from) % 2 == 0;
}

// Restates ggml_vk_concat_supported.
bool is_joined(const ggml_tensor& op) {
    if (!is_of_one_type(op)) return false;
    return !ggml_is_quantized(op.type) ||
           (ggml_is_contiguous_rows(op.src[0]) && ggml_is_contiguous_rows(op.src[1]) &&
            ggml_is_contiguous_rows(&op));
}

bool is_repeated(const ggml_tensor& op) {
    const std::size_t size = ggml_type_size(op.type);
    return size == ggml_type_size(op.src[0]->type) && (size == 4 || size == 2);
}

bool is_solved(const ggml_tensor& op) {
    const std::int64_t k = op.src[1]->ne[0];
    const auto row = static_cast<std::int64_t>(sizeof(float)) * (op.src[0]->ne[0] + k);
    return k <= kMaxWorkgroup && row <= kSharedMemory;
}

bool is_scanned(const ggml_tensor& op) {
    const std::int64_t state = op.src[0]->ne[0];
    const bool mamba2 = op.src[3] != nullptr && op.src[3]->nb[1] == sizeof(float);
    return mamba2 && (state == 128 || state == 256) && op.src[0]->ne[1] % 16 == 0;
}

bool is_gated_delta_net(const ggml_tensor& op) {
    const std::int64_t head = op.src[2]->ne[0];
    return (head == 16 || head == 32 || head == 64 || head == 128) && all_f32(op);
}

bool has_heads_of_64(const ggml_tensor& op) { return op.src[0]->ne[0] == 64; }

bool is_indexed(const ggml_tensor& op) {
    const auto is_whole = [](const ggml_tensor* tensor) {
        return tensor->nb[0] == ggml_type_size(tensor->type) && tensor->view_offs % kAlignment == 0;
    };
    return op.src[0]->ne[0] == 128 && is_whole(&op) && std::all_of(op.src, op.src + 4, is_whole);
}

bool has_4_in_first(const ggml_tensor& op) { return all_f32(op) && op.src[0]->ne[1] == 4; }

bool has_4_in_second(const ggml_tensor& op) { return all_f32(op) && op.src[1]->ne[1] == 4; }

bool mask_is_float(const ggml_tensor& op) {
    return op.src[1] == nullptr || kF32F16.contains(op.src[1]->type);
}

bool ids_are_i32(const ggml_tensor& op) { return op.src[2]->type == GGML_TYPE_I32; }

bool rows_of_result_are_contiguous(const ggml_tensor& op) { return ggml_is_contiguous_rows(&op); }

bool is_scaled(const ggml_tensor& op) {
    const bool antialias = (op.op_params[0] & GGML_SCALE_FLAG_ANTIALIAS) != 0;
    return !antialias || (op.op_params[0] & 0xFF) == GGML_SCALE_MODE_BILINEAR;
}

bool is_added_as_scalar(const ggml_tensor& op) {
    return op.src[0]->type == GGML_TYPE_F16 || op.src[1]->type == GGML_TYPE_F32;
}

bool all_are_contiguous(const ggml_tensor& op) {
    return second_is_contiguous(op) && ggml_is_contiguous(&op);
}

// Channels that lie side by side are not supported yet.
bool is_convolved(const ggml_tensor& op) {
    const bool transposed = op.op == GGML_OP_CONV_TRANSPOSE_2D;
    const std::int64_t out = op.src[0]->ne[transposed ? 2 : 3];
    const std::int64_t in = op.src[0]->ne[transposed ? 3 : 2];
    return all_are_contiguous(op) && out == op.ne[2] && in == op.src[1]->ne[2];
}

bool is_loss(const ggml_tensor& op) {
    return all_f32(op) && all_are_contiguous(op) && ggml_is_scalar(&op) &&
           ggml_are_same_shape(op.src[0], op.src[1]);
}

bool is_loss_back(const ggml_tensor& op) {
    return all_f32(op) && all_are_contiguous(op) && ggml_is_contiguous(op.src[2]) &&
           ggml_is_scalar(op.src[0]) && ggml_are_same_shape(op.src[1], op.src[2]) &&
           ggml_are_same_shape(op.src[1], &op);
}

// In ggml's order. Of the unary ops and the gates ggml-vulkan has all.
constexpr OpSupport kTable[] = {
    {.op = GGML_OP_NONE},
    {.op = GGML_OP_DUP, .also = is_copied},
    {.op = GGML_OP_ADD, .first = kF32F16, .second = kF32F16, .result = kF32F16},
    {.op = GGML_OP_ADD_ID, .first = kF32, .second = kF32, .result = kF32, .also = ids_are_i32},
    {.op = GGML_OP_ADD1, .first = kF32F16, .second = kF32F16, .also = is_added_as_scalar},
    {.op = GGML_OP_ACC, .first = kF32, .second = kF32, .result = kF32},
    {.op = GGML_OP_SUB, .first = kF32F16, .second = kF32F16, .result = kF32F16},
    {.op = GGML_OP_MUL, .first = kF32F16, .second = kF32F16, .result = kF32F16},
    {.op = GGML_OP_DIV, .first = kF32F16, .second = kF32F16, .result = kF32F16},
    {.op = GGML_OP_SQR, .first = kF32F16, .also = keeps_type},
    {.op = GGML_OP_SQRT, .first = kF32F16, .also = keeps_type},
    {.op = GGML_OP_LOG, .first = kF32F16, .also = keeps_type},
    {.op = GGML_OP_SIN, .first = kF32F16, .also = keeps_type},
    {.op = GGML_OP_COS, .first = kF32F16, .also = keeps_type},
    {.op = GGML_OP_SUM, .first = kF32, .layout = ggml_is_contiguous_rows},
    {.op = GGML_OP_SUM_ROWS, .first = kF32, .layout = ggml_is_contiguous_rows},
    {.op = GGML_OP_CUMSUM, .first = kF32, .layout = ggml_is_contiguous_rows},
    {.op = GGML_OP_MEAN, .first = kF32, .layout = ggml_is_contiguous_rows},
    {.op = GGML_OP_ARGMAX, .first = kF32, .layout = ggml_is_contiguous},
    {.op = GGML_OP_COUNT_EQUAL,
     .first = {GGML_TYPE_I32},
     .second = {GGML_TYPE_I32},
     .layout = ggml_is_contiguous,
     .also = second_is_contiguous},
    {.op = GGML_OP_REPEAT, .also = is_repeated},
    {.op = GGML_OP_REPEAT_BACK, .first = kF32, .result = kF32},
    {.op = GGML_OP_CONCAT, .also = is_joined},
    {.op = GGML_OP_SILU_BACK, .first = kF32, .layout = ggml_is_contiguous},
    {.op = GGML_OP_NORM, .first = kF32, .result = kF32},
    {.op = GGML_OP_RMS_NORM},
    {.op = GGML_OP_RMS_NORM_BACK, .first = kF32, .layout = ggml_is_contiguous},
    {.op = GGML_OP_GROUP_NORM, .layout = ggml_is_contiguous},
    {.op = GGML_OP_L2_NORM, .first = kF32, .result = kF32},
    {.op = GGML_OP_MUL_MAT, .first = kMatrices, .also = is_multiplied},
    {.op = GGML_OP_MUL_MAT_ID, .first = kMatrices, .also = is_multiplied},
    {.op = GGML_OP_OUT_PROD,
     .first = kF32,
     .second = kF32,
     .result = kF32,
     .layout = ggml_is_contiguous,
     .also = second_is_contiguous},
    {.op = GGML_OP_SCALE, .first = kF32, .layout = ggml_is_contiguous},
    {.op = GGML_OP_SET, .result = kF32I32, .also = is_of_one_type},
    {.op = GGML_OP_CPY, .also = is_copied},
    {.op = GGML_OP_CONT, .also = is_copied},
    {.op = GGML_OP_RESHAPE},
    {.op = GGML_OP_VIEW},
    {.op = GGML_OP_PERMUTE},
    {.op = GGML_OP_TRANSPOSE},
    {.op = GGML_OP_GET_ROWS, .first = kMatrices.with({GGML_TYPE_I32})},
    {.op = GGML_OP_GET_ROWS_BACK, .first = kF32, .result = kF32},
    {.op = GGML_OP_SET_ROWS,
     .first = kF32F16,
     .second = kIndices,
     .result = kFloats.with(kCopiedQuants)},
    {.op = GGML_OP_DIAG, .first = kF32F16, .also = keeps_type},
    {.op = GGML_OP_DIAG_MASK_INF, .first = kF32, .layout = ggml_is_contiguous},
    {.op = GGML_OP_SOFT_MAX, .first = kF32, .layout = ggml_is_contiguous, .also = mask_is_float},
    {.op = GGML_OP_SOFT_MAX_BACK,
     .first = kF32,
     .second = kF32,
     .layout = ggml_is_contiguous,
     .also = second_is_contiguous},
    {.op = GGML_OP_ROPE, .layout = ggml_is_contiguous_rows, .also = rows_of_result_are_contiguous},
    {.op = GGML_OP_ROPE_BACK},
    {.op = GGML_OP_CLAMP, .first = kF32F16, .also = keeps_type},
    {.op = GGML_OP_CONV_TRANSPOSE_1D, .first = kF32, .second = kF32},
    {.op = GGML_OP_IM2COL, .second = kF32, .result = kF32F16, .also = second_is_contiguous},
    {.op = GGML_OP_IM2COL_3D, .second = kF32, .result = kF32F16},
    {.op = GGML_OP_COL2IM_1D,
     .first = kFloats,
     .layout = ggml_is_contiguous,
     .also = keeps_type_and_order},
    {.op = GGML_OP_CONV_2D,
     .first = kF32F16,
     .second = kF32,
     .result = kF32,
     .layout = ggml_is_contiguous,
     .also = is_convolved},
    {.op = GGML_OP_CONV_3D,
     .first = kF32F16,
     .second = kF32,
     .result = kF32,
     .layout = ggml_is_contiguous,
     .also = all_are_contiguous},
    {.op = GGML_OP_CONV_2D_DW, .first = kF32F16, .second = kF32},
    {.op = GGML_OP_CONV_TRANSPOSE_2D,
     .first = kF32F16,
     .second = kF32,
     .result = kF32,
     .layout = ggml_is_contiguous,
     .also = is_convolved},
    {.op = GGML_OP_POOL_1D, .first = kF32, .layout = ggml_is_contiguous},
    {.op = GGML_OP_POOL_2D, .first = kF32, .layout = ggml_is_contiguous},
    {.op = GGML_OP_UPSCALE, .first = kF32, .also = is_scaled},
    {.op = GGML_OP_PAD, .first = kF32},
    {.op = GGML_OP_PAD_REFLECT_1D, .first = kF32},
    {.op = GGML_OP_ROLL, .first = kF32},
    {.op = GGML_OP_ARANGE, .result = kF32},
    {.op = GGML_OP_TIMESTEP_EMBEDDING, .first = kF32},
    {.op = GGML_OP_ARGSORT, .layout = ggml_is_contiguous, .also = result_is_contiguous},
    {.op = GGML_OP_TOP_K, .layout = ggml_is_contiguous, .also = result_is_contiguous},
    {.op = GGML_OP_LEAKY_RELU, .first = kF32F16, .also = keeps_type},
    {.op = GGML_OP_TRI, .first = kF32F16, .also = keeps_type},
    {.op = GGML_OP_FILL, .result = kF32F16},
    {.op = GGML_OP_FLASH_ATTN_EXT,
     .first = kF32,
     .second = kCacheTypes,
     .result = kF32,
     .also = is_attended},
    {.op = GGML_OP_SSM_CONV, .first = kF32},
    {.op = GGML_OP_SSM_SCAN, .first = kF32, .result = kF32, .also = is_scanned},
    {.op = GGML_OP_RWKV_WKV6},
    {.op = GGML_OP_GATED_LINEAR_ATTN, .first = kF32, .result = kF32, .also = has_heads_of_64},
    {.op = GGML_OP_RWKV_WKV7},
    {.op = GGML_OP_SOLVE_TRI, .first = kF32, .result = kF32, .also = is_solved},
    {.op = GGML_OP_GATED_DELTA_NET, .also = is_gated_delta_net},
    {.op = GGML_OP_LIGHTNING_INDEXER, .second = kIndexedTypes, .also = is_indexed},
    {.op = GGML_OP_DSV4_HC_COMB, .also = all_f32},
    {.op = GGML_OP_DSV4_HC_PRE, .also = has_4_in_first},
    {.op = GGML_OP_DSV4_HC_POST, .also = has_4_in_second},
    {.op = GGML_OP_UNARY, .first = kF32F16, .also = keeps_type},
    {.op = GGML_OP_CROSS_ENTROPY_LOSS, .layout = ggml_is_contiguous, .also = is_loss},
    {.op = GGML_OP_CROSS_ENTROPY_LOSS_BACK, .layout = ggml_is_contiguous, .also = is_loss_back},
    {.op = GGML_OP_OPT_STEP_ADAMW, .first = kF32, .layout = ggml_is_contiguous},
    {.op = GGML_OP_OPT_STEP_SGD, .first = kF32, .layout = ggml_is_contiguous},
    {.op = GGML_OP_GLU, .first = kF32F16, .also = is_of_one_type},
};

bool fits_storage(const ggml_tensor& op, Bytes most) {
    const auto fits = [&](const ggml_tensor* tensor) {
        return tensor == nullptr || ggml_nbytes(tensor) <= most;
    };
    return fits(&op) && std::all_of(op.src, op.src + GGML_MAX_SRC, fits);
}

Bytes tensor_bytes(const ggml_tensor& tensor) { return ggml_nbytes(&tensor); }

}  // namespace

std::unique_ptr<DevicePolicy> make_vulkan_model(Bytes max_storage_range) {
    const auto supports = [max_storage_range](const ggml_tensor& op) {
        return fits_storage(op, max_storage_range) && is_in_table(kTable, op);
    };
    return std::make_unique<ModelledDevice>(
        DeviceRules{{"vulkan", kAlignment, kMaxBuffer}, tensor_bytes, supports});
}

}  // namespace pshard
