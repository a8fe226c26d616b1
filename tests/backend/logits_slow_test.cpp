// The whole grid: (inner device) x (plan), each over all models and scenarios. scripts/check-all
// runs it and makes a table of it.
#include <gmock/gmock.h>

#include "backend/harness/expect.h"

namespace pshard::backend_test {
namespace {

using testing::Combine;
using testing::ValuesIn;

std::vector<std::string> plan_names() {
    std::vector<std::string> names;
    for (const PlanRow& plan : all_plans()) names.push_back(plan.name);
    return names;
}

// Each run compiles its shaders anew on lavapipe, in seconds: a choice of models and scenarios.
bool is_taken(const InnerDevice& device, const ModelRow& model, const ScenarioRow& scenario) {
    if (device.as_cpu) return true;
    static const std::vector<std::string> models = {"llama-Q8_0",
                                                    "llama-Q4_0",
                                                    "gemma3-Q8_0",
                                                    "qwen3moe-Q8_0",
                                                    "gpt-oss-Q8_0",
                                                    "qwen3next-Q8_0",
                                                    "deepseek2-Q8_0",
                                                    "granitehybrid-Q8_0"};
    static const std::vector<std::string> scenarios = {"brief", "seq-cp", "state"};
    return std::ranges::count(models, model.name()) > 0 &&
           std::ranges::count(scenarios, scenario.name) > 0;
}

class Cells : public testing::TestWithParam<std::tuple<std::string, std::string>> {};

TEST_P(Cells, AreAsStock) {
    PSHARD_NEEDS_PLUGIN();
    const auto& [device_name, plan_name] = GetParam();
    const InnerDevice device = inner_device(device_name);
    PSHARD_NEEDS_DEVICE(device);
    Grid grid(device);
    for (const ModelRow& model : all_models()) {
        for (const ScenarioRow& scenario : all_scenarios()) {
            if (!is_taken(device, model, scenario)) continue;
            expect_as_stock(grid, device, model, scenario, plan_row(plan_name));
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Grid,
                         Cells,
                         Combine(ValuesIn(inner_device_names()), ValuesIn(plan_names())),
                         [](const auto& test) {
                             return test_name(std::get<0>(test.param) + "_" +
                                              std::get<1>(test.param));
                         });

}  // namespace
}  // namespace pshard::backend_test
