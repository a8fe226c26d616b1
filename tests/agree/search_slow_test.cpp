// The search against trying every choice, on real shapes and three machines: 10,000 to 40,000
// choices a batch. Quick models are in tests/search/exhaustive_test.cpp.

#include "support/exhaustive.h"
#include "support/machines.h"
#include "support/stock_memory.h"
#include "support/testing.h"

namespace pshard {
namespace {

using testing_support::kTestMachines;
using testing_support::RealModel;
using testing_support::SearchLoss;
using testing_support::TestMachine;

// The share of the best rate that a plan may miss.
constexpr double kMostLoss = 0.005;

constexpr RealModel kShapes[] = {{"Llama-3.2-3B", "Q4_K_M"},
                                 {"gpt-oss-20b", "MXFP4"},
                                 {"DeepSeek-V2-Lite", "Q4_K_M"},
                                 {"Mixtral-8x7B", "Q4_K_M"},
                                 {"Granite-4.0-H-Small", "Q4_K_M"},
                                 {"Qwen3-30B-A3B", "Q4_K_M"},
                                 {"Gemma-3-27B", "Q4_K_M"}};

using RealExhaustive = testing::TestWithParam<std::tuple<RealModel, TestMachine>>;

TEST_P(RealExhaustive, FindsNothingMuchFasterThanThePlan) {
    const auto& [real, machine] = GetParam();
    const auto path = test::value_of(testing_support::sparse_model(real.shape, real.quant));
    const Inventory inventory = test::value_of(testing_support::captured_tiers(path, {1, 16, 512}));
    const SearchLoss loss =
        testing_support::search_loss(inventory, testing_support::machine_profile(machine));
    fmt::print("{}\n", to_text(loss));
    EXPECT_LE(loss.worst, kMostLoss) << loss.where;
    EXPECT_GE(loss.compared, 7);
}

INSTANTIATE_TEST_SUITE_P(Shapes,
                         RealExhaustive,
                         Combine(ValuesIn(kShapes), ValuesIn(kTestMachines)),
                         test::NamedByParameter());

}  // namespace
}  // namespace pshard
