// llama.cpp's own programs and tests, all of them, on each inner device by each plan.
#include <gmock/gmock.h>

#include "backend/harness/expect.h"
#include "backend/harness/programs.h"

namespace pshard::backend_test {
namespace {

using testing::Combine;
using testing::ValuesIn;

std::vector<std::string> plan_names() {
    std::vector<std::string> names;
    for (const PlanRow& plan : all_plans()) names.push_back(plan.name);
    return names;
}

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

class Programs : public testing::TestWithParam<std::tuple<std::string, std::string>> {};

TEST_P(Programs, RunThroughPshard) {
    PSHARD_NEEDS_PLUGIN();
    const auto& [device_name, plan_name] = GetParam();
    const InnerDevice device = inner_device(device_name);
    PSHARD_NEEDS_DEVICE(device);
    const PlanRow& plan = plan_row(plan_name);
    std::vector<Suite> suites = quick_suites();
    suites.insert(suites.end(), slow_suites().begin(), slow_suites().end());
    for (const Suite& suite : suites) {
        // All of the architectures come with the other suite.
        if (suite.name == "archs-of-today" || !is_taken(suite, device, plan)) continue;
        expect_suite_passes(suite, device, plan);
    }
}

INSTANTIATE_TEST_SUITE_P(All,
                         Programs,
                         Combine(ValuesIn(inner_device_names()), ValuesIn(plan_names())),
                         [](const auto& test) {
                             return test_name(std::get<0>(test.param) + "_" +
                                              std::get<1>(test.param));
                         });

}  // namespace
}  // namespace pshard::backend_test
