// The properties that every plan must have. exhaustive_test.cpp holds plans against all others.
#include "cost/toy_profile.h"
#include "search/check_plan.h"
#include "strategy/expand.h"
#include "support/testing.h"
#include "support/toy_models.h"

namespace pshard {
namespace {

// Slow enough that every lane matters: 1 flop/s, 1 byte/s on the GPU, half on the CPU.
const MachineProfile& machine() {
    static const MachineProfile profile = test::toy_profile();
    return profile;
}

Problem problem_of(const Inventory& inventory,
                   Bytes budget,
                   const MachineProfile* profile = &machine()) {
    return Problem{inventory, profile, budget, 2, {}, {}};
}

Bytes bytes_of_everything(const Inventory& inventory) {
    Bytes bytes = 0;
    for (const Graph& graph : inventory.graphs) {
        bytes = std::max(bytes, all_resident_bytes(inventory, graph));
    }
    return bytes;
}

class SearchOnToys : public testing::TestWithParam<bool> {
protected:
    Inventory model() const { return GetParam() ? toy_moe(4) : toy_dense(4); }
};

// 4096 / 4 tokens for each of four sequences, less its own of the batch.
TEST(FullDepth, IsWhatASequenceHoldsBesideItsBatch) {
    Inventory inventory;
    inventory.context.n_ctx = 4096;
    Graph graph;
    graph.n_tokens = 16;
    EXPECT_EQ(full_depth(inventory, graph), 4080U);
    inventory.context.n_seq_max = 4;
    graph.n_seqs = 1;
    EXPECT_EQ(full_depth(inventory, graph), 1008U);
    graph.n_seqs = 4;
    EXPECT_EQ(full_depth(inventory, graph), 1020U);
    inventory.context.kv_unified = true;
    EXPECT_EQ(full_depth(inventory, graph), 1020U);
    graph.n_seqs = 1;
    EXPECT_EQ(full_depth(inventory, graph), 4080U);
    graph.n_tokens = 5000;
    EXPECT_EQ(full_depth(inventory, graph), 0U);
}

TEST_P(SearchOnToys, NeverPredictsSlowerWithMoreBudget) {
    const Inventory inventory = model();
    const Bytes all = bytes_of_everything(inventory);
    for (const Graph& graph : inventory.graphs) {
        double before = 0;
        for (Bytes budget = all / 16; budget <= all + all / 4; budget += all / 16) {
            const TierPlan plan = plan_tier(problem_of(inventory, budget), graph);
            if (plan.winner() == nullptr) {
                EXPECT_EQ(before, 0);
                continue;
            }
            const double now = plan.winner()->prediction->tokens_per_second;
            EXPECT_GE(now, before * (1 - kEqualShare)) << "budget " << budget;
            before = std::max(before, now);
        }
    }
}

TEST_P(SearchOnToys, ReturnsOnlyPlansThatHold) {
    const Inventory inventory = model();
    const Bytes all = bytes_of_everything(inventory);
    for (Bytes budget = all / 8; budget < all; budget += all / 8) {
        const Problem problem = problem_of(inventory, budget);
        const VariantPlan plan = plan_variant(problem);
        for (const TierPlan& tier : plan.tiers) {
            for (const Candidate& candidate : tier.viable) {
                EXPECT_LE(candidate.memory.device.total(), budget);
            }
        }
        const Status plan_right = check_plan(problem, plan.tiers, plan.arena);
        EXPECT_TRUE(plan_right) << plan_right.error().text();
        const Status rivals_right = check_rivals(problem, plan.tiers);
        EXPECT_TRUE(rivals_right) << rivals_right.error().text();
    }
}

TEST_P(SearchOnToys, GivesTheSamePlanForTheSameProblem) {
    const Inventory inventory = model();
    const Problem problem = problem_of(inventory, bytes_of_everything(inventory) / 2);
    const VariantPlan first = plan_variant(problem);
    const VariantPlan second = plan_variant(problem);
    ASSERT_EQ(first.tiers.size(), second.tiers.size());
    for (std::size_t i = 0; i < first.tiers.size(); ++i) {
        EXPECT_EQ(first.tiers[i].viable, second.tiers[i].viable);
    }
    EXPECT_EQ(first.arena, second.arena);
}

INSTANTIATE_TEST_SUITE_P(Models, SearchOnToys, testing::Bool(), [](const auto& instance) {
    return instance.param ? "Moe" : "Dense";
});

TEST(Search, LeavesItToStockWhenEverythingFits) {
    const Inventory inventory = toy_dense(2);
    const Bytes all = bytes_of_everything(inventory);
    const VariantPlan enough = plan_variant(problem_of(inventory, all));
    ASSERT_TRUE(enough.baseline_vram.has_value());
    EXPECT_EQ(*enough.baseline_vram, all);
    EXPECT_TRUE(enough.tiers.empty());

    Problem forced = problem_of(inventory, all);
    forced.forced = Strategy::StaticAttnPrio;
    EXPECT_FALSE(plan_variant(forced).baseline_vram.has_value());
}

// The device lacks the product with ffn_down. However much memory there is, no plan keeps or
// streams those weights there; stock loads them there, and copies them back in every pass.
TEST(Search, KeepsNoWeightWhereItCannotBeComputed) {
    Inventory inventory = toy_moe(2);
    for (Graph& graph : inventory.graphs) {
        for (Node& node : graph.nodes) {
            if (node.name.starts_with("ffn_down-")) node.device_supports = false;
        }
    }
    const Bytes all = bytes_of_everything(inventory);
    const Problem problem = problem_of(inventory, 2 * all);
    const VariantPlan plan = plan_variant(problem);
    EXPECT_FALSE(plan.baseline_vram) << "stock holds it, and cannot compute it there";
    const Status right = check_plan(problem, plan.tiers, plan.arena);
    EXPECT_TRUE(right) << right.error().text();
    for (const TierPlan& tier : plan.tiers) {
        const Graph& graph = *graph_of_tier(inventory, tier.key);
        ASSERT_NE(tier.winner(), nullptr);
        for (const Candidate& candidate : tier.viable) {
            const Placement placement = expand({inventory, graph}, candidate.choice);
            for (const char* name : {"blk.0.ffn_down_exps.weight", "blk.1.ffn_down_exps.weight"}) {
                const auto index = static_cast<std::size_t>(weight_index(inventory, name));
                EXPECT_EQ(placement.weights[index], Lane::Cpu);
            }
        }
        const std::optional<Candidate> stock = stock_fit(problem, graph);
        ASSERT_TRUE(stock && stock->prediction);
        EXPECT_EQ(stock->memory.device.weights - tier.winner()->memory.device.weights, 2 * 64u);
        EXPECT_LT(stock->prediction->tokens_per_second,
                  tier.winner()->prediction->tokens_per_second);
    }
}

TEST(Search, ForcedStrategyWinsOrGivesWayToAttnPrio) {
    const Inventory inventory = toy_dense(4);
    for (const StrategyRule* rule : strategy_rules()) {
        Problem problem = problem_of(inventory, bytes_of_everything(inventory) * 3 / 4);
        problem.forced = rule->id;
        const TierPlan plan = plan_tier(problem, inventory.graphs.front());
        ASSERT_NE(plan.winner(), nullptr);
        EXPECT_EQ(plan.winner()->choice.strategy, rule->id);
    }
    Problem tight = problem_of(inventory, 60);
    tight.forced = Strategy::GpuOnlyLayerPinLayerStream;
    const TierPlan plan = plan_tier(tight, inventory.graphs.front());
    ASSERT_NE(plan.winner(), nullptr);
    EXPECT_EQ(plan.winner()->choice.strategy, Strategy::StaticAttnPrio);
    ASSERT_EQ(plan.refused.size(), 1U);
    EXPECT_NE(plan.refused.front().reason.find("over the budget"), std::string::npos);
}

TEST(Search, RefusesPlansThatDoNotFitTheHost) {
    const Inventory inventory = toy_dense(4);
    Problem problem = problem_of(inventory, bytes_of_everything(inventory) / 2);
    problem.host.memory = 1;
    const TierPlan plan = plan_tier(problem, inventory.graphs.front());
    EXPECT_EQ(plan.winner(), nullptr);
    ASSERT_FALSE(plan.refused.empty());
    EXPECT_NE(plan.refused.front().reason.find("host memory"), std::string::npos);
}

TEST(Search, StockFitIsAlwaysAmongTheCandidates) {
    const Inventory inventory = toy_moe(4);
    const TierPlan plan = plan_tier(problem_of(inventory, bytes_of_everything(inventory) / 2),
                                    inventory.graphs.back());
    EXPECT_TRUE(std::any_of(plan.viable.begin(), plan.viable.end(), [](const Candidate& c) {
        return c.choice.strategy == Strategy::StaticFitParams;
    }));
    ASSERT_NE(plan.published(), nullptr);
    EXPECT_NE(plan.published()->choice.strategy, Strategy::StaticFitParams);
}

// From 32 rows on stock uploads what is the CPU's in PSHARD0: its scratch holds it, and its time
// is another.
TEST(Search, PricesStockWithItsOpOffloadAndPlansWithout) {
    const Inventory inventory =
        toy_model({.n_layers = 4, .n_embd = 64, .n_ff = 128, .n_cells = 32, .tiers = {1, 32}});
    const Problem problem = problem_of(inventory, bytes_of_everything(inventory) * 3 / 4);
    for (const Graph& graph : inventory.graphs) {
        const std::optional<Candidate> stock = stock_fit(problem, graph);
        ASSERT_TRUE(stock.has_value());
        Evaluator evaluator(problem, graph);
        const Candidate ours = evaluator.evaluate(stock->choice, as_planned(false));
        const bool offloads = graph.n_tokens >= 32;
        EXPECT_EQ(stock->prediction->pass_seconds != ours.prediction->pass_seconds, offloads);
        EXPECT_EQ(stock->memory.device.scratch > ours.memory.device.scratch, offloads);
        for (const Candidate& candidate : plan_tier(problem, graph).viable) {
            EXPECT_EQ(candidate.options.offload, OpOffload::Never);
        }
    }
}

// What search returns is verified: a planted fault is refused, and named with its tier.

class CheckPlan : public testing::Test {
protected:
    CheckPlan() : plan_(plan_variant(problem())) {}

    Problem problem() const { return {inventory_, &profile_, 500, 2, {}, {}}; }

    std::string fault() const {
        const Status right = check_plan(problem(), plan_.tiers, plan_.arena);
        return right ? "" : right.error().message;
    }

    Inventory inventory_ = toy_dense(4);
    MachineProfile profile_ = test::toy_profile();
    VariantPlan plan_;
};

TEST_F(CheckPlan, FindsNothingInWhatSearchReturns) {
    ASSERT_FALSE(plan_.arena.tiers.empty());
    EXPECT_EQ(fault(), "");
    EXPECT_TRUE(check_rivals(problem(), plan_.tiers));
}

TEST_F(CheckPlan, NamesTheTierOfAScratchThatIsTooSmall) {
    plan_.arena.tiers.back().scratch -= inventory_.device.alignment;
    EXPECT_THAT(fault(), HasSubstr(fmt::format("{} tokens", plan_.tiers.back().key.n_tokens)));
    EXPECT_THAT(fault(), HasSubstr("bytes of scratch"));
}

TEST_F(CheckPlan, NamesWhatLiesOnSomethingElse) {
    plan_.arena.tiers.front().scratch_begin = 0;
    EXPECT_THAT(fault(), HasSubstr("overlaps 'scratch'"));
}

// A machine that nobody has measured. Half of its 24 layers of 8 MiB fit.
class Unmeasured : public testing::TestWithParam<int> {
protected:
    Unmeasured()
        : inventory_(toy_model({.n_layers = 24,
                                .n_embd = 512,
                                .n_ff = 2048,
                                .n_cells = 512,
                                .n_experts = GetParam(),
                                .tiers = {1, 31, 32, 512}})) {}

    TierPlan plan(std::size_t tier) const {
        const Bytes budget = bytes_of_everything(inventory_) / 2;
        return plan_tier(problem_of(inventory_, budget, nullptr), inventory_.graphs[tier]);
    }

    Inventory inventory_;
};

TEST_P(Unmeasured, StreamsFromTheBatchOnThatStockUploads) {
    for (const std::size_t tier : {0U, 1U, 2U, 3U}) {
        const TierPlan plan = this->plan(tier);
        ASSERT_NE(plan.winner(), nullptr);
        const bool uploads = inventory_.graphs[tier].n_tokens >= 32;
        EXPECT_EQ(rule_of(plan.winner()->choice.strategy).is_static, !uploads) << tier;
        EXPECT_EQ(rule_of(plan.published()->choice.strategy).is_static, !uploads) << tier;
        EXPECT_LE(plan.winner()->memory.device.total(), bytes_of_everything(inventory_) / 2);
    }
}

// The assumed rates decide, and are told to nobody.
TEST_P(Unmeasured, TellsNoSpeed) {
    const TierPlan plan = this->plan(3);
    for (const Candidate& candidate : plan.viable) EXPECT_FALSE(candidate.prediction.has_value());
    EXPECT_FALSE(plan.empty.has_value());
    EXPECT_FALSE(plan.full.has_value());
}

INSTANTIATE_TEST_SUITE_P(Experts, Unmeasured, testing::Values(0, 8));

}  // namespace
}  // namespace pshard
