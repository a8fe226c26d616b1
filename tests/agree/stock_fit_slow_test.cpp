// Our STATIC_FITPARAMS candidate against llama.cpp's own --fit (common_fit_params), on a virtual
// GPU that has exactly the budget free.
//
// The two measure the compute buffer apart, so they may differ by one layer: seen for gpt-oss-20b
// at 4497 MiB, where ours leaves the experts of 18 layers on the CPU and llama.cpp's those of 17.

#include <dlfcn.h>

#include <cctype>

#include <llama.h>

#include "build_paths.h"
#include "capture/llama_session.h"
#include "capture/log_capture.h"
#include "search/search.h"
#include "strategy/rules.h"
#include "support/stock_memory.h"
#include "support/testing.h"

namespace pshard {
namespace {

using testing_support::RealModel;

// common/fit.h, v0.5.0. The library is loaded by hand: nothing else of it is needed.
using FitFunction = int (*)(const char*,
                            llama_model_params*,
                            llama_context_params*,
                            float*,
                            llama_model_tensor_buft_override*,
                            std::size_t*,
                            std::uint32_t,
                            const void*,
                            ggml_log_level);
constexpr const char* kFitSymbol =
    "_Z17common_fit_paramsPKcP18llama_model_paramsP20llama_context_paramsPfP32llama_model_tensor_"
    "buft_overridePmjPK22common_fit_extra_model14ggml_log_level";

FitFunction stock_fit_function() {
    void* library = dlopen(PSHARD_LLAMA_BIN_DIR "/libllama-common.so", RTLD_NOW | RTLD_LOCAL);
    EXPECT_NE(library, nullptr) << dlerror();
    return library == nullptr ? nullptr : reinterpret_cast<FitFunction>(dlsym(library, kFitSymbol));
}

constexpr RealModel kModels[] = {{"Llama-3.1-8B", "Q8_0"},
                                 {"Qwen3-32B", "Q4_0"},
                                 {"Qwen3-30B-A3B", "Q4_K_M"},
                                 {"gpt-oss-20b", "MXFP4"}};
constexpr std::uint32_t kUbatch = 512;

struct Counts {
    int n_gpu_layers = 0;
    int n_partial = 0;  // layers whose routed experts, or a part of them, stay on the CPU
};

class StockFit : public testing::TestWithParam<RealModel> {
protected:
    void SetUp() override {
        const auto path =
            test::value_of(testing_support::sparse_model(GetParam().shape, GetParam().quant));
        path_ = path;
        Result<Inventory> inventory = testing_support::captured_ubatch(path_, kUbatch);
        ASSERT_TRUE(inventory.ok()) << inventory.error().text();
        inventory_ = std::move(inventory).value();
    }

    Counts ours(Bytes budget) {
        const Problem problem{inventory_, nullptr, budget, 0, {}, {}};
        Evaluator evaluator(problem, inventory_.graphs.front());
        const Sizing sizing{
            [&](const PlanChoice& c) { return evaluator.device_bytes(c, kAsStock); }, budget};
        const std::vector<PlanChoice> choices =
            rule_of(Strategy::StaticFitParams).propose(inventory_, sizing);
        if (choices.empty()) return {};
        const PlanChoice& choice = choices.front();
        return {choice.n_attn_pinned + (choice.output_on_gpu ? 1 : 0),
                inventory_.n_experts > 0 ? choice.n_attn_pinned - choice.n_pinned : 0};
    }

    Counts stock(Bytes budget, FitFunction fit) {
        LogCapture log;
        Result<std::unique_ptr<DevicePolicy>> policy = make_device_policy("cuda");
        EXPECT_TRUE(policy.ok());
        VirtualDevice device(
            {.memory = budget, .policy = std::move(policy).value(), .offload = true});
        ggml_backend_dev_t devices[] = {device.device(), nullptr};
        llama_model_params model = llama_model_default_params();
        model.devices = devices;
        model.use_extra_bufts = false;
        model.load_mtp = false;
        llama_context_params context = context_params(inventory_.context).value();
        context.op_offload = true;
        std::vector<llama_model_tensor_buft_override> overrides(
            llama_max_tensor_buft_overrides(), llama_model_tensor_buft_override{nullptr, nullptr});
        std::size_t margin = 0;
        std::vector<float> split(llama_max_devices());
        const int status = fit(path_.c_str(),
                               &model,
                               &context,
                               split.data(),
                               overrides.data(),
                               &margin,
                               4096,
                               nullptr,
                               GGML_LOG_LEVEL_ERROR);
        EXPECT_EQ(status, 0);
        const auto end = std::find_if(overrides.begin(), overrides.end(), [](const auto& item) {
            return item.pattern == nullptr;
        });
        // With experts the list of partial layers ends with the head, which has none.
        const auto listed = int(end - overrides.begin());
        return {model.n_gpu_layers, std::max(0, listed - 1)};
    }

    std::string path_;
    Inventory inventory_;
};

TEST_P(StockFit, ComesToWhatLlamaCppsFitComesTo) {
    const FitFunction fit = stock_fit_function();
    ASSERT_NE(fit, nullptr);
    const Bytes all = all_resident_bytes(inventory_, inventory_.graphs.front());
    for (const double share : {0.4, 0.8}) {
        const auto budget = Bytes(double(all) * share);
        const Counts stocks = stock(budget, fit);
        const Counts mine = ours(budget);
        EXPECT_NEAR(mine.n_gpu_layers, stocks.n_gpu_layers, 1) << "budget " << in_mib(budget);
        EXPECT_NEAR(mine.n_partial, stocks.n_partial, 1) << "budget " << in_mib(budget);
    }
}

INSTANTIATE_TEST_SUITE_P(Shapes, StockFit, ValuesIn(kModels), test::NamedByParameter());

}  // namespace
}  // namespace pshard
