// The search against trying every choice, on models of 14 to 48 layers: three machines, three
// budgets, batches of 1, 16 and 512 tokens. Real shapes are in tests/agree/search_slow_test.cpp.

#include "support/exhaustive.h"
#include "support/machines.h"
#include "support/sanitizer.h"
#include "support/testing.h"
#include "support/toy_models.h"

namespace pshard {
namespace {

using testing_support::kTestMachines;
using testing_support::search_loss;
using testing_support::SearchLoss;
using testing_support::TestMachine;

// The share of the best rate that a plan may miss here: half of what real shapes may.
constexpr double kMostLoss = 0.0025;

struct NamedModel {
    const char* name;
    ToyModel model;
};

void PrintTo(const NamedModel& named, std::ostream* out) { *out << named.name; }

// Widths of real models, so that the rates of real machines matter.
ToyModel wide(ToyModel model) {
    model.n_cells = 8192;
    model.alignment = 128;
    model.tiers = {1, 16, 512};
    return model;
}

const NamedModel kModels[] = {
    {"Dense14", wide({.n_layers = 14, .n_embd = 2048, .n_ff = 8192, .n_vocab = 128256})},
    {"Dense48",
     wide({.n_layers = 48, .n_embd = 5120, .n_ff = 13824, .n_vocab = 152064, .tied_head = false})},
    {"Moe24",
     wide({.n_layers = 24,
           .n_embd = 2880,
           .n_ff = 2880,
           .n_vocab = 201088,
           .n_experts = 32,
           .n_experts_used = 4,
           .sinks = true})},
    {"MoeShared30",
     wide({.n_layers = 30,
           .n_embd = 2048,
           .n_ff = 1408,
           .n_vocab = 102400,
           .n_experts = 64,
           .n_experts_used = 6,
           .n_shared_ff = 2816})},
    {"Recurrent32",
     wide({.n_layers = 32, .n_embd = 4096, .n_ff = 11008, .n_vocab = 128256, .n_recurrent = 24})},
};

using Exhaustive = testing::TestWithParam<std::tuple<NamedModel, TestMachine>>;

TEST_P(Exhaustive, FindsNothingMuchFasterThanThePlan) {
    const auto& [named, machine] = GetParam();
    if (named.model.n_layers > 14) PSHARD_TOO_SLOW_SANITIZED();
    const SearchLoss loss =
        search_loss(toy_model(named.model), testing_support::machine_profile(machine));
    fmt::print("{}\n", to_text(loss));
    EXPECT_LE(loss.worst, kMostLoss) << loss.where;
    EXPECT_GE(loss.compared, 7);
}

INSTANTIATE_TEST_SUITE_P(Models,
                         Exhaustive,
                         Combine(ValuesIn(kModels), ValuesIn(kTestMachines)),
                         test::NamedByParameter());

}  // namespace
}  // namespace pshard
