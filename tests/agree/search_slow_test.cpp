// The search against trying every choice, on real shapes and three machines: 10,000 to 40,000
// choices a batch. Quick models are in tests/search/exhaustive_test.cpp.

#include <tuple>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/exhaustive.h"
#include "support/machines.h"
#include "support/stock_memory.h"

namespace pshard {
namespace {

using testing_support::kTestMachines;
using testing_support::SearchLoss;
using testing_support::TestMachine;

// The share of the best rate that a plan may miss.
constexpr double kMostLoss = 0.005;

struct RealShape {
    const char* shape;
    const char* quant;
};

void PrintTo(const RealShape& real, std::ostream* out) { *out << real.shape; }

constexpr RealShape kShapes[] = {{"Llama-3.2-3B", "Q4_K_M"},
                                 {"gpt-oss-20b", "MXFP4"},
                                 {"DeepSeek-V2-Lite", "Q4_K_M"},
                                 {"Mixtral-8x7B", "Q4_K_M"},
                                 {"Granite-4.0-H-Small", "Q4_K_M"},
                                 {"Qwen3-30B-A3B", "Q4_K_M"},
                                 {"Gemma-3-27B", "Q4_K_M"}};

using RealExhaustive = testing::TestWithParam<std::tuple<RealShape, TestMachine>>;

TEST_P(RealExhaustive, FindsNothingMuchFasterThanThePlan) {
    const auto& [real, machine] = GetParam();
    const auto path = testing_support::sparse_model(real.shape, real.quant);
    ASSERT_TRUE(path.ok()) << path.error().text();
    const Result<Inventory> inventory = testing_support::captured_tiers(path.value(), {1, 16, 512});
    ASSERT_TRUE(inventory.ok()) << inventory.error().text();
    const SearchLoss loss =
        testing_support::search_loss(inventory.value(), testing_support::machine_profile(machine));
    fmt::print("{}\n", to_text(loss));
    EXPECT_LE(loss.worst, kMostLoss) << loss.where;
    EXPECT_GE(loss.compared, 7);
}

INSTANTIATE_TEST_SUITE_P(Shapes,
                         RealExhaustive,
                         testing::Combine(testing::ValuesIn(kShapes),
                                          testing::ValuesIn(kTestMachines)),
                         [](const auto& instance) {
                             std::string name = fmt::format("{}_{}",
                                                            std::get<0>(instance.param).shape,
                                                            std::get<1>(instance.param).name);
                             for (char& c : name) {
                                 if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
                             }
                             return name;
                         });

}  // namespace
}  // namespace pshard
