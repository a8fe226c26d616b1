// The scratch interpreter, by right plans that are damaged in one place.
#include <random>

#include "support/graph_maker.h"
#include "support/testing.h"
#include "support/toy_models.h"
#include "support/toy_plan.h"

namespace pshard {
namespace {

auto names(const std::string& one, const std::string& other) {
    return Contains(AllOf(HasSubstr(one), HasSubstr(other)));
}

std::size_t at(int index) { return std::size_t(index); }

// The dense toy of one layer, FFN on the CPU; alignment 8.
class VerifyScratchTest : public ::testing::Test {
protected:
    VerifyScratchTest() {
        const Inventory inventory = toy_model({.n_layers = 1, .alignment = 8});
        Placement placement = uniform_placement(inventory, Lane::Gpu);
        place_side(placement, inventory, 0, Side::Ffn, Lane::Cpu);
        plan = toy_plan(inventory, placement);
    }

    std::size_t node(const char* name) const { return at(node_index(plan.graph, name)); }

    Bytes& gpu(const char* name) { return plan.lowered.scratch.gpus[0].nodes[node(name)]; }

    Bytes& cpu(const char* name) { return plan.lowered.scratch.cpu.nodes[node(name)]; }

    ToyPlan plan;
};

TEST_F(VerifyScratchTest, FindsNothingInARightPlan) { EXPECT_THAT(plan.violations(), IsEmpty()); }

TEST_F(VerifyScratchTest, FindsAValueWrittenOverALivingOne) {
    gpu("Kcur-0") = gpu("Qcur-0");
    EXPECT_THAT(plan.violations(), names("'Qrope-0'", "'Kcur-0' has taken its bytes"));
}

TEST_F(VerifyScratchTest, FindsAResultOverTheOperandOfAMatmul) {
    gpu("Qcur-0") = gpu("attn_norm-0");
    EXPECT_THAT(plan.violations(),
                names("'Qcur-0' (MUL_MAT)", "writes over its operand 'attn_norm-0'"));
}

TEST_F(VerifyScratchTest, FindsAnElementwiseOpThatIsShifted) {
    const std::size_t add = node("ffn_inp-0");
    plan.lowered.scratch.gpus[0].nodes[add] = gpu("attn_out-0");
    ASSERT_THAT(plan.violations(), Not(names("'ffn_inp-0' (ADD)", "attn_out-0")));
    plan.inventory.device.alignment = 1;
    plan.lowered.scratch.gpus[0].nodes[add] = gpu("attn_out-0") + 4;
    EXPECT_THAT(plan.violations(),
                names("'ffn_inp-0' (ADD)", "writes over its operand 'attn_out-0'"));
}

TEST_F(VerifyScratchTest, FindsAnElementwiseOpOverAnOperandOfAnotherShape) {
    gpu("ffn_inp-0") = gpu("attn_out-0");
    plan.graph.nodes[node("attn_out-0")].shape = {1, 2, 1, 1};
    EXPECT_THAT(plan.violations(),
                names("'ffn_inp-0' (ADD)", "writes over its operand 'attn_out-0'"));
}

TEST_F(VerifyScratchTest, FindsAValueWithoutAddress) {
    gpu("Vcur-0") = kNoOffset;
    EXPECT_THAT(plan.violations(), names("'Vcur-0' has no address", "GPU"));
    EXPECT_THAT(plan.violations(), names("'v_write-0' reads 'Vcur-0'", "not there"));
}

TEST_F(VerifyScratchTest, FindsACopyWithoutAddress) {
    cpu("ffn_norm-0") = kNoOffset;
    EXPECT_THAT(plan.violations(), names("'ffn_gate-0' reads 'ffn_norm-0'", "CPU's scratch"));
}

TEST_F(VerifyScratchTest, FindsACopyOverALivingValue) {
    // embd's copy comes with the inputs of its stage.
    gpu("embd") = plan.lowered.scratch.gpus[0].inputs[1];
    EXPECT_THAT(plan.violations(), names("'embd'", "'inp_pos'"));
}

TEST_F(VerifyScratchTest, FindsAnInputThatIsOverwritten) {
    gpu("norm-0") = plan.lowered.scratch.gpus[0].inputs[1];
    EXPECT_THAT(plan.violations(),
                names("'Qrope-0' reads 'inp_pos'", "'norm-0' has taken its bytes"));
}

TEST_F(VerifyScratchTest, FindsAnOriginThatIsGoneWhenItIsCopied) {
    // What the CPU's stage reads is copied at its begin, after the GPU's stage before it.
    cpu("ffn_down-0") = cpu("embd");
    gpu("ffn_norm-0") = kNoOffset;
    EXPECT_THAT(plan.violations(), names("the copy for 'ffn_gate-0'", "'ffn_norm-0'"));
}

TEST_F(VerifyScratchTest, FindsWhatIsBeyondThePeak) {
    gpu("attn-0") = plan.lowered.scratch.gpus[0].peak - plan.lowered.scratch.gpus[0].peak % 8;
    EXPECT_THAT(plan.violations(), names("'attn-0'", "is beyond the GPU's scratch"));
}

TEST_F(VerifyScratchTest, FindsWhatIsNotAligned) {
    gpu("attn-0") += 1;
    EXPECT_THAT(plan.violations(), names("'attn-0'", "not aligned to 8"));
}

TEST_F(VerifyScratchTest, FindsAnOutputThatIsOverwritten) {
    plan.graph.nodes[node("Qcur-0")].is_output = true;
    EXPECT_THAT(plan.violations(),
                names("the end of the graph reads 'Qcur-0'", "has taken its bytes"));
}

// A scale of the experts, on the CPU, is viewed there; a product on the GPU reads a copy of the
// view.
TEST(VerifyScratch, FollowsAViewOfAWeightToTheOtherSide) {
    Inventory inventory = toy_model({.n_layers = 1, .alignment = 8});
    add_weight(inventory, "blk.0.ffn_down.scale", "f32", {2, 1, 1, 1});
    Graph graph;
    GraphMaker maker(inventory, graph);
    const Ref x = maker.input("x", "f32", {2, 1, 1, 1});
    const Ref q =
        maker.node("MUL_MAT", "Qcur-0", 0, {2, 1, 1, 1}, {maker.weight("blk.0.attn_q.weight"), x});
    const Ref scale =
        maker.view("RESHAPE", "scale-0", 0, {2, 1, 1, 1}, maker.weight("blk.0.ffn_down.scale"));
    maker.node("MUL", "scaled-0", 0, {2, 1, 1, 1}, {q, scale});
    maker.mark_output();
    Placement placement = uniform_placement(inventory, Lane::Gpu);
    place_side(placement, inventory, 0, Side::Ffn, Lane::Cpu);
    ToyPlan plan = make_toy_plan(inventory, graph, placement, {}).value();
    ASSERT_EQ(plan.lowered.cut.devices[at(node_index(graph, "scaled-0"))], Device::Gpu);
    EXPECT_THAT(plan.violations(), IsEmpty());
    Bytes& copy = plan.lowered.scratch.gpus[0].nodes[at(node_index(graph, "scale-0"))];
    const Bytes right = std::exchange(copy, kNoOffset);
    EXPECT_THAT(plan.violations(), names("'scaled-0'", "'scale-0'"));
    copy = plan.lowered.scratch.gpus[0].nodes[at(node_index(graph, "Qcur-0"))];
    EXPECT_NE(copy, right);
    EXPECT_THAT(plan.violations(), names("'scaled-0'", "has taken its bytes"));
}

// A copy is made once; a value that is written again after that is another one.
//
//   a (GPU) | b = f(a) (CPU) | SET into a (GPU) | c = f(a) (CPU)
TEST(VerifyScratch, FindsACopyOfAnOlderValue) {
    Inventory inventory;
    inventory.device.alignment = 1;
    add_weight(inventory, "blk.0.attn_q.weight", "f16", {2, 2, 1, 1});
    add_weight(inventory, "blk.0.ffn_up.weight", "f16", {2, 2, 1, 1});
    Graph graph;
    GraphMaker make(inventory, graph);
    const Shape row{2, 1, 1, 1};
    const Ref gpu = make.layer_weight(0, "attn_q.weight");
    const Ref cpu = make.layer_weight(0, "ffn_up.weight");
    const Ref a = make.node("MUL_MAT", "a", 0, row, {gpu, make.input("x", "f32", row)});
    const Ref b = make.node("MUL_MAT", "b", 0, row, {cpu, a});
    const Ref d = make.node("MUL_MAT", "d", 0, row, {gpu, b});
    make.view("SET", "set", 0, row, a);
    graph.nodes.back().is_view = false;
    graph.nodes.back().sources.push_back(d);
    make.node("MUL_MAT", "c", 0, row, {cpu, a});
    make.mark_output();
    const Placement placement{{Lane::Gpu, Lane::Cpu}, {}};
    const ToyPlan plan = make_toy_plan(inventory, graph, placement, {}).value();
    EXPECT_THAT(plan.violations(), names("'c' reads 'a'", "copied before it was written again"));
}

// Random damages

using Engine = std::mt19937_64;

int below(Engine& engine, std::size_t n) { return int(engine() % n); }

bool has_memory(const Graph& graph, int index) {
    const Node& node = graph.nodes[at(index)];
    return !node.has_storage && node.alloc_bytes > 0;
}

// By the graph alone: a node of the same device reads `value` after `after` is computed.
bool is_read_after(const ToyPlan& plan, int value, int after) {
    for (std::size_t r = at(after) + 1; r < plan.graph.nodes.size(); r++) {
        const Node& reader = plan.graph.nodes[r];
        if (reader.is_view || plan.lowered.cut.devices[r] != plan.lowered.cut.devices[at(value)])
            continue;
        for (const Ref& source : reader.sources) {
            if (source.kind != Ref::Kind::Node) continue;
            const Node& read = plan.graph.nodes[at(source.index)];
            const Ref root = read.has_storage ? read.storage : source;
            if (root == Ref{Ref::Kind::Node, value}) return true;
        }
    }
    return false;
}

// Moves a value onto one that is still read after it; false if this draw finds no such pair.
bool damage(ToyPlan& plan, Engine& engine) {
    const int victim = below(engine, plan.graph.nodes.size());
    const int culprit = below(engine, plan.graph.nodes.size());
    const Device device = plan.lowered.cut.devices[at(victim)];
    if (culprit <= victim || plan.lowered.cut.devices[at(culprit)] != device) return false;
    if (!has_memory(plan.graph, victim) || !has_memory(plan.graph, culprit)) return false;
    if (!is_read_after(plan, victim, culprit)) return false;
    auto& nodes =
        device == Device::Gpu ? plan.lowered.scratch.gpus[0].nodes : plan.lowered.scratch.cpu.nodes;
    const Bytes alignment = plan.inventory.device.alignment;
    const Bytes blocks = plan.graph.nodes[at(victim)].alloc_bytes / alignment;
    nodes[at(culprit)] = nodes[at(victim)] + alignment * (engine() % blocks);
    return true;
}

TEST(VerifyScratch, FindsRandomDamages) {
    constexpr int kDamages = 2000;
    int done = 0;
    for (std::uint64_t seed = 0; done < kDamages; seed++) {
        Engine engine(seed);
        const Inventory inventory = random_model(seed % 100);
        const Placement placement = random_placement(inventory, Draw::Sides, seed);
        const Result<ToyPlan> made = make_toy_plan(inventory, inventory.graphs[0], placement, {});
        if (!made) continue;
        for (int draw = 0; draw < 40; draw++) {
            ToyPlan plan = made.value();
            if (!damage(plan, engine)) continue;
            done++;
            ASSERT_THAT(plan.violations(), Contains(HasSubstr("reads")))
                << "seed " << seed << ", draw " << draw;
        }
    }
}

}  // namespace
}  // namespace pshard
