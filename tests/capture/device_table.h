// A device model held against the library of the real device: both are asked for every node of the
// graphs of all shapes, and for ops with each type of tensor.
#pragma once

#include <fmt/ranges.h>
#include <ggml-cpp.h>
#include <ggml.h>

#include "capture/capture_fixture.h"
#include "capture/device_policy.h"

namespace pshard {

inline std::string described(const ggml_tensor& op) {
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
        const Bytes expected = real_->tensor_bytes(tensor);
        const Bytes bytes = modelled_->tensor_bytes(tensor);
        if (bytes != expected) {
            different_.insert(fmt::format(
                "{}: {} bytes, the library says {}", described(tensor), bytes, expected));
        }
        return bytes;
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

class DeviceTableTest : public CaptureTest {
protected:
    void hold(std::unique_ptr<DevicePolicy> modelled, std::unique_ptr<DevicePolicy> real) {
        both_ = std::make_shared<BothAnswer>(std::move(modelled), std::move(real));
    }

    // Captures all shapes in contexts of several kinds, in all of which both are asked.
    void ask_for_all_shapes() {
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

    void ask_for_all_types();

    ggml_tensor* tensor(ggml_type type, std::int64_t a, std::int64_t b, std::int64_t c = 1) {
        return ggml_new_tensor_3d(context_.get(), type, a, b, c);
    }

    std::shared_ptr<BothAnswer> both_;

private:
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

    ggml_context_ptr context_{ggml_init({16 * 1024 * 1024, nullptr, true})};
};

inline std::vector<ggml_type> all_types() {
    std::vector<ggml_type> types;
    for (int i = 0; i < GGML_TYPE_COUNT; ++i) {
        const auto type = static_cast<ggml_type>(i);
        if (ggml_blck_size(type) > 0) types.push_back(type);
    }
    return types;
}

inline void DeviceTableTest::ask_for_all_types() {
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

}  // namespace pshard
