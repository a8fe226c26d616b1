// Two graphs of the same batch whose keys differ in their second field are two tiers, all the way
// from the inventory to the run.
#include "inventory/tier_key.h"

#include <nlohmann/json.hpp>

#include "explain/explanation.h"
#include "explain/forms.h"
#include "planner/registry_form.h"
#include "plugin/packing.h"
#include "report/report.h"
#include "runtime/memory_watch.h"
#include "runtime/tier_picker.h"
#include "support/chrome_trace.h"
#include "support/testing.h"
#include "support/toy_planning.h"

namespace pshard {
namespace {

using nlohmann::json;

constexpr std::uint32_t kDepth = 3;  // of the toy's 8 cells

// The toy's tiers of 1 and 4 tokens, each again for a part of the context.
class TierKeys : public test::ToyPlanning {
protected:
    void SetUp() override {
        ToyPlanning::SetUp();
        std::vector<Graph> graphs;
        for (const Graph& graph : planning_.inventory.graphs) {
            graphs.push_back(graph);
            graphs.back().n_depth = kDepth;
            graphs.push_back(graph);
        }
        planning_.inventory.graphs = graphs;
        search();
    }
};

TEST(TierKey, AscendsByTokensThenByDepthWithTheWholeContextLast) {
    EXPECT_THAT((std::set<TierKey>{{4}, {1}, {4, 5}, {1, 9}, {4, 3}}),
                ElementsAre(TierKey{1, 9}, TierKey{1}, TierKey{4, 3}, TierKey{4, 5}, TierKey{4}));
}

TEST(TierKey, TextOfTheWholeContextIsTheBareNumber) {
    EXPECT_EQ(to_text(TierKey{512}), "512");
    EXPECT_EQ(to_text(TierKey{512, 4096}), "512@4096");
}

TEST_F(TierKeys, EachIsPlannedAndPacked) {
    std::vector<TierKey> keys;
    for (const TierPlan& tier : planning_.plan.tiers) keys.push_back(tier.key);
    EXPECT_THAT(keys, ElementsAre(TierKey{1, 3}, TierKey{1}, TierKey{4, 3}, TierKey{4}));
    EXPECT_EQ(planning_.plan.arena.tiers.size(), 4U);
    ASSERT_EQ(planning_.plan.switches.size(), 4U);
    EXPECT_EQ(planning_.plan.switches[3].size(), 4U);
}

TEST_F(TierKeys, EachHasItsRowInEveryReport) {
    for (const std::string row : {"|    1@3 |", "|      1 |", "|    4@3 |", "|      4 |"}) {
        EXPECT_THAT(to_markdown(planning_), HasSubstr(row));
    }
    EXPECT_THAT(explain(planning_), HasSubstr("4@3 tokens"));
    EXPECT_THAT(to_csv({planning_}), HasSubstr(",4@3,1,"));
    const json tiers = json::parse(to_json_lines({planning_}))["tiers"];
    ASSERT_EQ(tiers.size(), 4U);
    EXPECT_EQ(tiers[2]["tokens"], 4);
    EXPECT_EQ(tiers[2]["n_depth"], kDepth);
    EXPECT_FALSE(tiers[3].contains("n_depth"));
}

// A pass by each tier, traced and read back, is compared with the plan of its own tier.
TEST_F(TierKeys, EachIsExplainedAndMeasured) {
    Explanation explanation = explain_plan(planning_, study_tiers(planning_));
    Trace trace{"libggml-pshard 9", "toy GPU", "toy", {}};
    for (const ExplainedTier& tier : explanation.tiers) trace.passes.push_back(tier.pass);
    const Trace read = test::value_of(from_chrome_trace(test::to_chrome_trace(trace)));
    explanation.measured = compare(read, explanation);
    std::vector<TierKey> keys;
    for (const MeasuredTier& tier : explanation.measured->tiers) keys.push_back(tier.tier);
    EXPECT_THAT(keys, ElementsAre(TierKey{1, 3}, TierKey{1}, TierKey{4, 3}, TierKey{4}));
    EXPECT_THAT(explanation_csv(explanation), HasSubstr("measured,4@3,predicted,"));
    EXPECT_EQ(json::parse(explanation_json(explanation))["measured"]["tiers"][2]["n_depth"],
              kDepth);
}

// The published header has no place for a depth, so its readers see the whole context's plans.
TEST_F(TierKeys, RegistryKeepsThoseOfTheWholeContext) {
    std::vector<TierKey> keys;
    for (const RegistryTier& tier : to_registry_variant(planning_).tiers) keys.push_back(tier.key);
    EXPECT_THAT(keys, ElementsAre(TierKey{1}, TierKey{4}));
}

TEST_F(TierKeys, RunHasAnOrderForEachAndTakesTheFirstThatCovers) {
    const Inventory& inventory = planning_.inventory;
    const Orders orders = test::value_of(
        orders_of(inventory, same_in_all_tiers(inventory, PlanChoice{.n_pinned = 1}), kMiB));
    TierTraffic traffic{{}, std::vector<Bytes>(4), std::vector(4, std::vector<Bytes>(4))};
    MemoryWatch watch([] { return kMiB; }, [](std::string_view) {});
    for (const TierOrder& order : orders.tiers) {
        traffic.tiers.push_back(order.key);
        EXPECT_TRUE(watch.is_news({order.key, {1}, {4}}));
    }
    TierPicker picker(traffic);
    EXPECT_EQ(picker.next({1, 2}, 0), 0U);
    EXPECT_EQ(picker.next({1, 4}, 0), 1U);
    EXPECT_EQ(picker.next({2, 3}, 0), 2U);
    EXPECT_EQ(picker.next({2}, 0), 3U);
    EXPECT_EQ(picker.next({9, 3}, 0), 3U);
}

}  // namespace
}  // namespace pshard
