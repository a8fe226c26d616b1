#include "plan/fused_runs.h"
#include "support/graph_maker.h"
#include "support/testing.h"
#include "support/toy_models.h"
#include "support/toy_plan.h"

namespace pshard {
namespace {

// Names of the nodes of each run, of one stage that holds the whole graph.
std::vector<std::vector<std::string>> run_names(const Graph& graph) {
    std::vector<std::vector<std::string>> all;
    const Stage whole{Device::Gpu, 0, int(graph.nodes.size()), -1, 0};
    for (const FusedRun& run : fused_runs(graph, whole)) {
        std::vector<std::string>& names = all.emplace_back();
        for (const int i : run.nodes) names.push_back(graph.nodes[std::size_t(i)].name);
    }
    return all;
}

class FusedRunsTest : public ::testing::Test {
protected:
    FusedRunsTest() : make(inventory, graph) {
        add_weight(inventory, "blk.0.ffn_gate.weight", "f16", {8, 8, 1, 1});
        weight = make.layer_weight(0, "ffn_gate.weight");
        x = make.input("x", "f32", {8, 1, 1, 1});
    }

    Ref add(const char* op, const char* name, const std::vector<Ref>& sources) {
        return make.node(op, name, 0, shape, sources);
    }

    Inventory inventory;
    Graph graph;
    GraphMaker make;
    Shape shape{8, 1, 1, 1};
    Ref weight, x;
};

TEST_F(FusedRunsTest, AreGatedMatmulsWithTheirBiases) {
    const Ref gate = add("MUL_MAT", "gate", {weight, x});
    const Ref biased = add("ADD", "biased", {gate, x});
    const Ref up = add("MUL_MAT", "up", {weight, x});
    add("SWIGLU", "act", {biased, up});
    add("MUL_MAT", "down", {weight, x});
    EXPECT_THAT(run_names(graph), ElementsAre(ElementsAre("gate", "biased", "up", "act")));
}

// Stages begin and end anywhere, in the middle of runs too.
TEST_F(FusedRunsTest, OfAGraphThatIsCutAreThoseOfEachStage) {
    for (int layer = 0; layer < 2; ++layer) {
        const Ref gate = add("MUL_MAT", "gate", {weight, x});
        const Ref biased = add("ADD", "biased", {gate, x});
        const Ref up = add("MUL_MAT", "up", {weight, x});
        add("SWIGLU", "act", {biased, up});
        const Ref scores = add("SOFT_MAX", "scores", {x});
        const Ref order = add("ARGSORT", "order", {scores});
        const Ref chosen = add("GET_ROWS", "chosen", {scores, order});
        add("SCALE", "scaled", {chosen});
        const Ref first = add("MUL", "first", {x, x});
        add("ADD", "sum", {first, x});
    }
    const FusedRuns runs(graph);
    const int n = int(graph.nodes.size());
    for (int begin = 0; begin < n; ++begin) {
        for (int end = begin + 1; end <= n; ++end) {
            const Stage stage{Device::Gpu, begin, end};
            EXPECT_EQ(runs.of(stage), fused_runs(graph, stage)) << begin << " to " << end;
        }
    }
    EXPECT_EQ(runs.of({Device::Gpu, 0, n}).size(), 6U);
}

TEST_F(FusedRunsTest, AreNoMatmulsOfManyColumns) {
    shape = {8, 9, 1, 1};
    const Ref gate = add("MUL_MAT", "gate", {weight, x});
    const Ref up = add("MUL_MAT", "up", {weight, x});
    add("SWIGLU", "act", {gate, up});
    EXPECT_THAT(run_names(graph), IsEmpty());
}

TEST_F(FusedRunsTest, CountTheTokensOfExperts) {
    shape = {8, 9, 8, 1};  // 9 experts for each of 8 tokens
    const Ref gate = add("MUL_MAT_ID", "gate", {weight, x});
    const Ref up = add("MUL_MAT_ID", "up", {weight, x});
    add("SWIGLU_OAI", "act", {gate, up});
    EXPECT_THAT(run_names(graph), ElementsAre(ElementsAre("gate", "up", "act")));
}

TEST_F(FusedRunsTest, AreChoicesOfExpertsWithAllThatFollows) {
    const Ref odds = add("SIGMOID", "odds", {x});
    const Ref rows = make.view("RESHAPE", "rows", 0, shape, odds);
    const Ref biased = add("ADD", "biased", {odds, x});
    const Ref order = add("ARGSORT", "order", {biased});
    const Ref chosen = make.view("VIEW", "chosen", 0, shape, order);
    const Ref share = add("GET_ROWS", "share", {rows, chosen});
    const Ref sum = add("SUM_ROWS", "sum", {share});
    const Ref least = add("CLAMP", "least", {sum});
    const Ref norm = add("DIV", "norm", {share, least});
    add("SCALE", "scaled", {norm});
    add("SCALE", "more", {x});
    EXPECT_THAT(run_names(graph),
                ElementsAre(ElementsAre(
                    "odds", "biased", "order", "share", "sum", "least", "norm", "scaled")));
}

TEST_F(FusedRunsTest, AreSumsOfViews) {
    const Ref scaled = add("MUL", "scaled", {weight, x});
    const Ref one = make.view("VIEW", "one", 0, shape, scaled);
    const Ref two = make.view("VIEW", "two", 0, shape, scaled);
    const Ref three = make.view("VIEW", "three", 0, shape, scaled);
    const Ref sum = add("ADD", "sum", {one, two});
    add("ADD", "all", {sum, three});
    EXPECT_THAT(run_names(graph), ElementsAre(ElementsAre("scaled", "sum", "all")));
}

TEST_F(FusedRunsTest, AreNormsThatAreRotated) {
    const Ref norm = add("RMS_NORM", "norm", {x});
    const Ref scaled = add("MUL", "scaled", {norm, weight});
    add("ROPE", "rotated", {scaled, x});
    EXPECT_THAT(run_names(graph), ElementsAre(ElementsAre("norm", "scaled", "rotated")));
}

TEST_F(FusedRunsTest, AreNoNodesThatReadNothingOfTheRun) {
    add("MUL", "scaled", {weight, x});
    add("ADD", "other", {x, x});
    EXPECT_THAT(run_names(graph), IsEmpty());
}

TEST_F(FusedRunsTest, EndWithTheirStage) {
    const Ref gate = add("MUL_MAT", "gate", {weight, x});
    const Ref up = add("MUL_MAT", "up", {weight, x});
    add("SWIGLU", "act", {gate, up});
    EXPECT_THAT(fused_runs(graph, {Device::Gpu, 0, 2, -1, 0}), IsEmpty());
}

// ---- memory ----

// One token, the FFN of the layer on the GPU behind a norm of the CPU: a copy comes in.
ToyPlan plan_of_one_layer(Lane attention) {
    const Inventory inventory = toy_model({.n_layers = 1, .n_ff = 2, .alignment = 8});
    Placement placement = uniform_placement(inventory, Lane::Gpu);
    place_side(placement, inventory, 0, Side::Attention, attention);
    return toy_plan(inventory, placement);
}

TEST(FusedMemory, KeepsWhatAGatedMatmulReads) {
    for (const Lane attention : {Lane::Gpu, Lane::Cpu}) {
        const ToyPlan plan = plan_of_one_layer(attention);
        const auto gpu = [&](const char* name) {
            return plan.lowered.scratch.gpus[0].nodes[std::size_t(node_index(plan.graph, name))];
        };
        EXPECT_NE(gpu("ffn_act-0"), gpu("ffn_norm-0"));
        EXPECT_THAT(plan.violations(), IsEmpty());
    }
}

TEST(FusedMemory, IsVerified) {
    for (const Lane attention : {Lane::Gpu, Lane::Cpu}) {
        ToyPlan plan = plan_of_one_layer(attention);
        const auto at = [&](const char* name) { return std::size_t(node_index(plan.graph, name)); };
        std::vector<Bytes>& gpu = plan.lowered.scratch.gpus[0].nodes;
        gpu[at("ffn_act-0")] = gpu[at("ffn_norm-0")];
        EXPECT_THAT(plan.violations(),
                    Contains(HasSubstr(
                        "node 'ffn_act-0' writes over 'ffn_norm-0', which a kernel for gated "
                        "matmuls from 'ffn_gate-0' to 'ffn_act-0' would still read")));
    }
}

}  // namespace
}  // namespace pshard
