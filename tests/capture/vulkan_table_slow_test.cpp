// The table of capture/vulkan_model.cpp against ggml's own Vulkan library: both are asked for every
// node of the graphs of all shapes, and for ops with each type of tensor.
//
// The device is Mesa's lavapipe, whose buffers are smaller than those of the modelled GPU; the
// library is asked for that limit first.

#include <fmt/ranges.h>
#include <ggml-cpp.h>
#include <ggml.h>

#include "capture/capture_fixture.h"
#include "capture/device_model.h"
#include "support/test_gpu.h"
#include "support/testing.h"

namespace pshard {
namespace {

std::string described(const ggml_tensor& op) {
    std::string text = ggml_op_desc(&op);
    const auto add = [&](const ggml_tensor& tensor) {
        text += fmt::format(" {}[{}x{}x{}x{}]",
                            ggml_type_name(tensor.type),
                            tensor.ne[0],
                            tensor.ne[1],
                            tensor.ne[2],
                            tensor.ne[3]);
    };
    add(op);
    for (const ggml_tensor* source : op.src) {
        if (source != nullptr) add(*source);
    }
    return text;
}

// Answers as the model, and notes where the real device answers otherwise.
class BothAnswer final : public DevicePolicy {
public:
    BothAnswer(std::unique_ptr<DevicePolicy> modelled, std::unique_ptr<DevicePolicy> real)
        : modelled_(std::move(modelled)), real_(std::move(real)) {}

    DeviceModel model() const override { return modelled_->model(); }

    Bytes tensor_bytes(const ggml_tensor& tensor) const override {
        return modelled_->tensor_bytes(tensor);
    }

    bool supports(const ggml_tensor& op) const override {
        ++asked_;
        const bool expected = real_->supports(op);
        const bool answer = modelled_->supports(op);
        if (!answer) ++refused_;
        if (answer != expected) {
            different_.insert(fmt::format("{}: the library says {}", described(op), expected));
        }
        return answer;
    }

    bool offloads(const ggml_tensor& op) const override { return modelled_->offloads(op); }

    int asked() const { return asked_; }

    int refused() const { return refused_; }

    std::string differences() const { return fmt::format("{}", fmt::join(different_, "\n")); }

private:
    std::unique_ptr<DevicePolicy> modelled_;
    std::unique_ptr<DevicePolicy> real_;
    mutable int asked_ = 0;
    mutable int refused_ = 0;
    mutable std::set<std::string> different_;
};

// The largest tensor that the device takes, to the byte of an f32.
Bytes largest_tensor(const DevicePolicy& device) {
    const auto takes = [&](std::int64_t n) {
        const ggml_context_ptr context(ggml_init({16 * 1024, nullptr, true}));
        ggml_tensor* tensor = ggml_new_tensor_1d(context.get(), GGML_TYPE_F32, n);
        return device.supports(*ggml_scale(context.get(), tensor, 2.0F));
    };
    std::int64_t low = 1;
    std::int64_t high = std::int64_t{1} << 40;
    while (high - low > 1) {
        const std::int64_t middle = low + (high - low) / 2;
        (takes(middle) ? low : high) = middle;
    }
    return static_cast<Bytes>(low) * sizeof(float) + sizeof(float) - 1;
}

class VulkanTable : public CaptureTest {
protected:
    void SetUp() override {
        PSHARD_NEEDS_GPU();
        auto real = make_device_policy("Vulkan0");
        ASSERT_TRUE(real.ok()) << real.error().text();
        auto modelled = make_vulkan_model(largest_tensor(*real.value()));
        both_ = std::make_shared<BothAnswer>(std::move(modelled), std::move(real).value());
    }

    // Captures the model in contexts of several kinds, in all of which both are asked.
    void capture(const ModelShape& shape, const std::string& quant) {
        const std::string path = dir_ / "model.gguf";
        ASSERT_TRUE(write_sparse(shape, quant, path).ok()) << shape.name;
        for (const FlashAttention attention : {FlashAttention::On, FlashAttention::Off}) {
            for (const char* cache : {"f16", "q8_0", "iq4_nl"}) {
                const bool quantized = std::string_view(cache) != "f16";
                if (quantized && attention == FlashAttention::Off) continue;
                ContextSpec context = small_context();
                context.flash_attention = attention;
                context.type_k = context.type_v = cache;
                // llama.cpp refuses some of these contexts.
                (void)capture_inventory(request_for(path, context), both_);
            }
        }
    }

    ggml_tensor* tensor(ggml_type type, std::int64_t a, std::int64_t b, std::int64_t c = 1) {
        return ggml_new_tensor_3d(context_.get(), type, a, b, c);
    }

    ggml_context_ptr context_{ggml_init({16 * 1024 * 1024, nullptr, true})};
    std::shared_ptr<BothAnswer> both_;
};

TEST_F(VulkanTable, AgreesWithTheLibraryOnEveryNodeOfAllShapes) {
    for (const ModelShape& shape : known_shapes()) {
        capture(shape, shape.arch == "gpt-oss" ? "MXFP4" : "Q4_K_M");
    }
    for (const ModelShape& shape : tiny_shapes()) {
        capture(shape, "TQ2_0");
        EXPECT_EQ(both_->differences(), "") << shape.name;
    }
    EXPECT_GT(both_->asked(), 200'000);
    EXPECT_GT(both_->refused(), 100) << "some ops are refused, or nothing is compared";
    RecordProperty("asked", both_->asked());
}

std::vector<ggml_type> all_types() {
    std::vector<ggml_type> types;
    for (int i = 0; i < GGML_TYPE_COUNT; ++i) {
        const auto type = static_cast<ggml_type>(i);
        if (ggml_blck_size(type) > 0) types.push_back(type);
    }
    return types;
}

TEST_F(VulkanTable, AgreesWithTheLibraryOnEveryType) {
    ggml_context* context = context_.get();
    ggml_tensor* f32 = tensor(GGML_TYPE_F32, 256, 4);
    ggml_tensor* ids = tensor(GGML_TYPE_I32, 2, 4);
    for (const ggml_type type : all_types()) {
        ggml_tensor* matrix = tensor(type, 256, 64);
        ggml_tensor* experts = tensor(type, 256, 64, 8);
        (void)both_->supports(*ggml_mul_mat(context, matrix, f32));
        ggml_tensor* chosen =
            ggml_mul_mat_id(context, experts, tensor(GGML_TYPE_F32, 256, 2, 4), ids);
        (void)both_->supports(*chosen);
        ggml_prec_set_src(chosen, GGML_PREC_F32, 1);
        EXPECT_FALSE(both_->supports(*chosen)) << ggml_type_name(type);
        (void)both_->supports(*ggml_get_rows(context, matrix, tensor(GGML_TYPE_I32, 4, 1)));
        (void)both_->supports(*ggml_set_rows(context, matrix, f32, tensor(GGML_TYPE_I64, 4, 1)));
        (void)both_->supports(*ggml_cont(context, matrix));
        (void)both_->supports(*ggml_concat(context, matrix, matrix, 1));
        (void)both_->supports(*ggml_repeat(context, matrix, tensor(type, 256, 128)));
        for (const ggml_type other : all_types()) {
            (void)both_->supports(*ggml_cpy(context, matrix, tensor(other, 256, 64)));
            ggml_tensor* attention = ggml_flash_attn_ext(context,
                                                         tensor(GGML_TYPE_F32, 256, 4, 8),
                                                         tensor(type, 256, 64, 2),
                                                         tensor(other, 256, 64, 2),
                                                         tensor(GGML_TYPE_F16, 64, 4),
                                                         1.0F,
                                                         0.0F,
                                                         0.0F);
            (void)both_->supports(*attention);
        }
    }
    EXPECT_EQ(both_->differences(), "");
    EXPECT_GT(both_->asked(), 2000);
}

}  // namespace
}  // namespace pshard
