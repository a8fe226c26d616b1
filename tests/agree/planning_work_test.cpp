// What planning costs, in counts: a deep graph of many values that live side by side. Time is not
// tested; bench/planning_bench.cpp tells it.

#include "planner/planning.h"
#include "planner/study.h"
#include "support/deepseek4_model.h"
#include "support/machines.h"
#include "support/stock_memory.h"
#include "support/testing.h"

namespace pshard {
namespace {

constexpr const char* kShape = "Qwen3-Next-80B-A3B";  // 48 layers, 36 of them with recurrent states

Planning planned(const std::filesystem::path& model, const MachineProfile& profile) {
    Result<Inventory> inventory = testing_support::captured_tiers(model, {1, 512});
    PSHARD_CHECK(inventory.ok());
    Planning planning;
    planning.inventory = std::move(inventory).value();
    planning.profile = &profile;
    planning.budget.total = 12000 * kMiB;
    make_plan(planning);
    return planning;
}

// About 40 kinds of choices in each of two regions, for PSHARD0 and for stock, and the plans that
// are evaluated exactly; most of them cut the graph as another does.
TEST(PlanningWork, PacksTheSameBlocksOnceForAllPlansOfAModel) {
    const MachineProfile profile = testing_support::reference_profile();
    const auto path = testing_support::sparse_model(kShape, "Q4_K_M");
    ASSERT_TRUE(path.ok());
    const Planning planning = planned(path.value(), profile);
    const PackingMemo::Counts first = planning.packed->counts();
    RecordProperty("asked", static_cast<int>(first.asked));
    RecordProperty("made", static_cast<int>(first.made));
    EXPECT_LE(first.asked, 285U);
    EXPECT_LE(first.made, 130U);
    // The same problem again packs nothing anew; a larger budget cuts mostly as others did.
    plan_again("again", problem_of(planning));
    EXPECT_EQ(planning.packed->counts().made, first.made);
    Problem larger = problem_of(planning);
    larger.budget += kGiB;
    plan_again("larger", larger);
    EXPECT_LE(planning.packed->counts().made, first.made * 3 / 2);
}

// 8349 nodes a graph, of which each packing has thousands of blocks.
TEST(PlanningWork, PacksLittleOfADeepGraphOfManyNodes) {
    const MachineProfile profile = testing_support::reference_profile();
    const Planning planning = planned(testing_support::deepseek4_model(), profile);
    EXPECT_EQ(planning.inventory.graphs.front().nodes.size(), 8349U);
    EXPECT_EQ(planning.inventory.weights.size(), 1328U);
    const PackingMemo::Counts counts = planning.packed->counts();
    RecordProperty("asked", static_cast<int>(counts.asked));
    RecordProperty("made", static_cast<int>(counts.made));
    EXPECT_LE(counts.asked, 280U);
    EXPECT_LE(counts.made, 135U);
}

}  // namespace
}  // namespace pshard
