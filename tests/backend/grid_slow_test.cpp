// The whole grid, and all of llama.cpp's programs and tests: (inner device) x (plan) each.
// scripts/check-all runs them and makes a table. And 10,080 random plan switches.
#include "backend/harness/expect.h"
#include "backend/harness/wander.h"
#include "support/testing.h"

namespace pshard::backend_test {
namespace {

using DeviceAndPlan = std::tuple<std::string, std::string>;

auto all_devices_and_plans() {
    std::vector<std::string> plans;
    for (const PlanRow& plan : all_plans()) plans.push_back(plan.name);
    return Combine(ValuesIn(inner_device_names()), ValuesIn(plans));
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

class PlanOnDevice : public OnDevice, public testing::WithParamInterface<DeviceAndPlan> {
protected:
    PlanOnDevice() : OnDevice(std::get<0>(GetParam())) {}

    const PlanRow& plan = plan_row(std::get<1>(GetParam()));
};

using Cells = PlanOnDevice;

TEST_P(Cells, AreAsStock) {
    for (const ModelRow& model : all_models()) {
        for (const ScenarioRow& scenario : all_scenarios()) {
            if (!is_taken(device, model, scenario)) continue;
            expect_as_stock(grid, device, model, scenario, plan);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Grid, Cells, all_devices_and_plans(), test::NamedByParameter());

// On lavapipe a suite of many ops takes hours, one of a recurrent model minutes.
// test-save-load-state holds two runs of its own against each other, to 1e-5: where another plan
// comes between, and parts move to another device's kernels, they are 8e-5 apart.
bool is_taken(const Suite& suite, const InnerDevice& device, const PlanRow& plan) {
    if (suite.pass_only && plan.name != "resident") return false;
    if (suite.name == "save-load-state" && plan.name == "rotate" && !device.as_cpu) return false;
    static const std::vector<std::string> long_ones = {
        "backend-ops-more", "perplexity-qwen3next", "recurrent-state-rollback"};
    return device.as_cpu || std::ranges::count(long_ones, suite.name) == 0;
}

using Programs = PlanOnDevice;

TEST_P(Programs, RunThroughPshard) {
    std::vector<Suite> suites = quick_suites();
    suites.insert(suites.end(), slow_suites().begin(), slow_suites().end());
    for (const Suite& suite : suites) {
        // All of the architectures come with the other suite.
        if (suite.name == "archs-of-today" || !is_taken(suite, device, plan)) continue;
        expect_suite_passes(suite, device, plan);
    }
}

INSTANTIATE_TEST_SUITE_P(All, Programs, all_devices_and_plans(), test::NamedByParameter());

// Six architectures, eight budgets each.
TEST_P(Wander, IsAsStock) { expect_as_stock({11, 12, 13, 14, 15, 16, 17, 18}, 210); }

INSTANTIATE_TEST_SUITE_P(All, Wander, ValuesIn(wander_models()), test::NamedByParameter());

}  // namespace
}  // namespace pshard::backend_test
