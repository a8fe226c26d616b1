#include "capture/device_model.h"

#include <ggml-backend.h>
#include <ggml-cpp.h>
#include <ggml.h>

#include "base/units.h"
#include "ops/op_table.h"
#include "support/testing.h"

extern "C" bool ggml_op_can_inplace(enum ggml_op op);  // ggml-alloc.c, in no header

namespace pshard {
namespace {

class DeviceModelTest : public testing::Test {
protected:
    ggml_tensor* tensor(ggml_type type,
                        std::int64_t a,
                        std::int64_t b = 1,
                        std::int64_t c = 1,
                        std::int64_t d = 1) {
        return ggml_new_tensor_4d(context_.get(), type, a, b, c, d);
    }

    // Attention of one layer over 256 cells, as llama.cpp builds it.
    ggml_tensor* attention(std::int64_t head,
                           std::int64_t n_tokens,
                           ggml_type cache,
                           std::int64_t n_heads = 32,
                           std::int64_t n_heads_kv = 8,
                           std::int64_t head_v = 0) {
        ggml_tensor* q = tensor(GGML_TYPE_F32, head, n_tokens, n_heads);
        ggml_tensor* k = tensor(cache, head, 256, n_heads_kv);
        ggml_tensor* v = tensor(cache, head_v == 0 ? head : head_v, 256, n_heads_kv);
        ggml_tensor* mask = tensor(GGML_TYPE_F16, 256, n_tokens);
        return ggml_flash_attn_ext(context_.get(), q, k, v, mask, 1.0F, 0.0F, 0.0F);
    }

    ggml_tensor* product(ggml_type weight) {
        return ggml_mul_mat(context_.get(), tensor(weight, 256, 64), tensor(GGML_TYPE_F32, 256, 4));
    }

    ggml_context_ptr context_{ggml_init({64 * 1024, nullptr, true})};
    std::unique_ptr<DevicePolicy> cuda_ = make_device_model("cuda");
    std::unique_ptr<DevicePolicy> vulkan_ = make_device_model("vulkan");
};

TEST_F(DeviceModelTest, HasTwoNames) {
    EXPECT_EQ(cuda_->model(), (DeviceModel{"cuda", 128, ~Bytes{0}}));
    EXPECT_EQ(vulkan_->model(), (DeviceModel{"vulkan", 64, kGiB}));
    EXPECT_EQ(make_device_model("metal"), nullptr);
}

// MATRIX_ROW_PADDING: the last row of a quantized matrix is filled up to 512 values.
TEST_F(DeviceModelTest, CudaPadsTheLastRowOfQuantizedMatrices) {
    const ggml_tensor* odd = tensor(GGML_TYPE_Q8_0, 768, 10);
    EXPECT_EQ(ggml_nbytes(odd), 768 / 32 * 34 * 10);
    EXPECT_EQ(cuda_->tensor_bytes(*odd), ggml_nbytes(odd) + 256 / 32 * 34);
    EXPECT_EQ(vulkan_->tensor_bytes(*odd), ggml_nbytes(odd));
    for (const ggml_tensor* even : {tensor(GGML_TYPE_Q8_0, 512, 10), tensor(GGML_TYPE_F16, 100)}) {
        EXPECT_EQ(cuda_->tensor_bytes(*even), ggml_nbytes(even));
    }
}

TEST_F(DeviceModelTest, CudaKeepsTheHalfCopyOfACacheBehindTheAttention) {
    const Bytes result = 128 * 32 * 64 * 4;
    const Bytes half_cache = 128 * 256 * 8 * 2;
    const auto bytes = [&](std::int64_t n_tokens, ggml_type cache) {
        return cuda_->tensor_bytes(*attention(128, n_tokens, cache));
    };
    EXPECT_EQ(bytes(64, GGML_TYPE_F16), result);
    EXPECT_EQ(bytes(64, GGML_TYPE_Q8_0), result + 2 * half_cache);
    EXPECT_EQ(bytes(1, GGML_TYPE_Q8_0), result / 64) << "the vector kernel reads q8_0 as it is";
    EXPECT_EQ(bytes(1, GGML_TYPE_Q5_1), result / 64 + 2 * half_cache) << "no such vector kernel";
    EXPECT_EQ(vulkan_->tensor_bytes(*attention(128, 64, GGML_TYPE_Q8_0)), result);
}

struct Head {
    std::int64_t k;
    std::int64_t v;
    std::int64_t gqa;
    bool cuda;
};

// fattn.cu, ggml_cuda_get_best_fattn_kernel.
TEST_F(DeviceModelTest, CudaAttendsToKnownHeadSizes) {
    for (const Head& head : {Head{64, 64, 1, true},
                             {80, 80, 1, true},
                             {128, 128, 4, true},
                             {128, 64, 4, false},
                             {192, 128, 8, true},
                             {192, 128, 4, false},
                             {256, 256, 2, true},
                             {512, 512, 4, true},
                             {512, 512, 1, false},
                             {576, 512, 16, true},
                             {576, 576, 16, false},
                             {100, 100, 1, false}}) {
        const ggml_tensor* op = attention(head.k, 4, GGML_TYPE_F16, 2 * head.gqa, 2, head.v);
        EXPECT_EQ(cuda_->supports(*op), head.cuda) << head.k << " " << head.v << " " << head.gqa;
        EXPECT_EQ(vulkan_->supports(*op), head.k % 8 == 0) << head.k;
    }
}

TEST_F(DeviceModelTest, CudaReadsNoIq4NlCache) {
    EXPECT_FALSE(cuda_->supports(*attention(128, 4, GGML_TYPE_IQ4_NL)));
    EXPECT_TRUE(vulkan_->supports(*attention(128, 4, GGML_TYPE_IQ4_NL)));
}

TEST_F(DeviceModelTest, KnowsWhichWeightsMultiply) {
    for (const ggml_type type : {GGML_TYPE_F32,
                                 GGML_TYPE_F16,
                                 GGML_TYPE_Q4_K,
                                 GGML_TYPE_Q6_K,
                                 GGML_TYPE_MXFP4,
                                 GGML_TYPE_IQ2_XXS}) {
        EXPECT_TRUE(cuda_->supports(*product(type))) << ggml_type_name(type);
        EXPECT_TRUE(vulkan_->supports(*product(type))) << ggml_type_name(type);
    }
    EXPECT_FALSE(cuda_->supports(*product(GGML_TYPE_TQ2_0)));
    EXPECT_TRUE(vulkan_->supports(*product(GGML_TYPE_TQ2_0)));
}

TEST_F(DeviceModelTest, KnowsRecurrentOps) {
    const auto convolution = [&](std::int64_t width) {
        return ggml_ssm_conv(context_.get(),
                             tensor(GGML_TYPE_F32, 4 - 1 + 8, width),
                             tensor(GGML_TYPE_F32, 4, width));
    };
    EXPECT_TRUE(cuda_->supports(*convolution(256)));
    EXPECT_FALSE(cuda_->supports(*convolution(200)));
    EXPECT_TRUE(vulkan_->supports(*convolution(200)));
}

TEST_F(DeviceModelTest, VulkanRefusesWhatItsShadersCannotReach) {
    ggml_tensor* huge = tensor(GGML_TYPE_F32, 1 << 20, 1 << 11);
    EXPECT_FALSE(vulkan_->supports(*ggml_scale(context_.get(), huge, 2.0F)));
    EXPECT_TRUE(cuda_->supports(*ggml_scale(context_.get(), huge, 2.0F)));
}

// Every op that has a row is one of ggml's, and may take over an operand's memory where ggml's own
// allocator lets it. Of unary ops ggml lets all.
TEST(OpTable, AgreesWithGgml) {
    std::map<std::string_view, bool> in_place = {{kMulByColumn, false}};
    for (int i = 0; i < GGML_OP_COUNT; ++i) {
        const auto op = static_cast<ggml_op>(i);
        in_place[ggml_op_name(op)] = ggml_op_can_inplace(op);
    }
    for (int i = 0; i < GGML_UNARY_OP_COUNT; ++i) {
        in_place[ggml_unary_op_name(static_cast<ggml_unary_op>(i))] = true;
    }
    for (int i = 0; i < GGML_GLU_OP_COUNT; ++i) {
        in_place[ggml_glu_op_name(static_cast<ggml_glu_op>(i))] = false;
    }
    for (const OpRule& rule : op_rules()) {
        ASSERT_TRUE(in_place.contains(rule.name)) << rule.name;
        EXPECT_EQ(rule.in_place, in_place[rule.name]) << rule.name;
    }
}

// ggml's get_op_batch_size; stock llama.cpp offloads from 32 tokens on.
TEST_F(DeviceModelTest, OffloadsBatches) {
    const auto batch = [&](std::int64_t n_tokens) {
        return ggml_mul_mat(
            context_.get(), tensor(GGML_TYPE_F16, 64, 64), tensor(GGML_TYPE_F32, 64, n_tokens));
    };
    EXPECT_TRUE(cuda_->offloads(*batch(32)));
    EXPECT_FALSE(cuda_->offloads(*batch(31)));
    EXPECT_FALSE(cuda_->offloads(
        *ggml_get_rows(context_.get(), tensor(GGML_TYPE_F16, 64, 64), tensor(GGML_TYPE_I32, 512))));
}

}  // namespace
}  // namespace pshard
