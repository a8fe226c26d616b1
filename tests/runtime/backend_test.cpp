// PSHARD0 as ggml sees it: what C++ throws stays behind its hooks.
#include "runtime/backend.h"

#include <array>
#include <memory>
#include <stdexcept>

#include <ggml.h>

#include "build_paths.h"
#include "ggml_kit/border.h"
#include "ggml_kit/device.h"
#include "probe/devices.h"
#include "support/testing.h"

namespace pshard {
namespace {

using testing::HasSubstr;

struct FreeContext {
    void operator()(ggml_context* context) const { ggml_free(context); }
};

// PSHARD0 on the CPU, with a model of one weight and a graph that multiplies by it.
class Device : public testing::Test {
protected:
    void SetUp() override {
        load_ggml_backends(PSHARD_LLAMA_BIN_DIR);
        EngineSetup setup;
        setup.gpu = setup.cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
        setup.budget = 64 * kMiB;
        setup.orders = [this](const Inventory&, Bytes) -> Result<Orders> {
            ++asked_;
            throw 7;  // no std::exception, which nobody on the way here catches
        };
        setup.log = [this](std::string_view line) { log_ += std::string(line) + "\n"; };
        static std::vector<std::unique_ptr<Engine>> engines;  // ggml frees no device
        engines.push_back(test::value_of(Engine::open(std::move(setup))));
        forget_thrown();
        device_ = ggml_backend_reg_dev_get(pshard_registry(*engines.back()), 0);
        backend_.reset(ggml_backend_dev_init(device_, nullptr));
        make_graph();
    }

    void TearDown() override {
        forget_thrown();
        log_thrown({});
    }

    void make_graph() {
        context_.reset(ggml_init({1 << 20, nullptr, true}));
        ggml_tensor* weight = ggml_new_tensor_2d(context_.get(), GGML_TYPE_F32, 32, 32);
        ggml_set_name(weight, "blk.0.ffn_up.weight");
        ggml_backend_buffer_type_t type = ggml_backend_dev_buffer_type(device_);
        weights_.reset(ggml_backend_alloc_ctx_tensors_from_buft(context_.get(), type));
        ggml_backend_buffer_set_usage(weights_.get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
        values_context_.reset(ggml_init({1 << 20, nullptr, true}));
        ggml_tensor* in = ggml_new_tensor_2d(values_context_.get(), GGML_TYPE_F32, 32, 1);
        ggml_set_input(in);
        ggml_tensor* out = ggml_mul_mat(values_context_.get(), weight, in);
        ggml_set_output(out);
        values_.reset(ggml_backend_alloc_ctx_tensors_from_buft(values_context_.get(), type));
        ggml_backend_buffer_set_usage(values_.get(), GGML_BACKEND_BUFFER_USAGE_COMPUTE);
        graph_ = ggml_new_graph(values_context_.get());
        ggml_build_forward_expand(graph_, out);
    }

    std::string log_;
    int asked_ = 0;
    ggml_backend_dev_t device_ = nullptr;
    BackendHandle backend_{};
    std::unique_ptr<ggml_context, FreeContext> context_{};
    std::unique_ptr<ggml_context, FreeContext> values_context_{};
    BufferHandle weights_{};
    BufferHandle values_{};
    ggml_cgraph* graph_ = nullptr;
};

TEST_F(Device, TellsWhatIsThrownAndRefusesTheGraph) {
    EXPECT_EQ(ggml_backend_graph_compute(backend_.get(), graph_), GGML_STATUS_FAILED);
    EXPECT_EQ(asked_, 1) << log_;
    EXPECT_THAT(log_,
                HasSubstr("something that is no std::exception was thrown: PSHARD0 computes "
                          "nothing more"));
}

// Values may have been lost on the way: a second try would run by them.
TEST_F(Device, ComputesNothingMoreOnceSomethingWasThrown) {
    EXPECT_EQ(ggml_backend_graph_compute(backend_.get(), graph_), GGML_STATUS_FAILED);
    const std::string told = log_;
    EXPECT_EQ(ggml_backend_graph_compute(backend_.get(), graph_), GGML_STATUS_FAILED);
    EXPECT_EQ(asked_, 1);
    EXPECT_EQ(log_, told);
}

int never(int /*number*/) { throw std::runtime_error("never"); }

ggml_status never_done(int /*number*/) { throw std::runtime_error("a second thing"); }

const char* never_named() { throw std::runtime_error("a third thing"); }

TEST(Guarded, ReturnsWhatStandsForNoInGgml) {
    forget_thrown();
    EXPECT_EQ(guarded<never>(1), 0);
    EXPECT_EQ(guarded<never_done>(1), GGML_STATUS_FAILED);
    EXPECT_STREQ(guarded<never_named>(), "");
    EXPECT_EQ(thrown_at_border(), "never");
    forget_thrown();
    EXPECT_EQ(thrown_at_border(), "");
}

}  // namespace
}  // namespace pshard
