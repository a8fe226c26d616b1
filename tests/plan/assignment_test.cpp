#include "plan/assignment.h"
#include "support/graph_maker.h"
#include "support/testing.h"
#include "support/toy_models.h"

namespace pshard {
namespace {

// 'G' and 'C' by node.
std::string devices_text(const std::vector<Device>& devices) {
    std::string text;
    for (Device device : devices) text += device == Device::Gpu ? 'G' : 'C';
    return text;
}

std::string assigned(const Inventory& inventory,
                     const Placement& placement,
                     OpOffload offload = OpOffload::Never,
                     std::size_t graph = 0) {
    return devices_text(assign_nodes(inventory, inventory.graphs[graph], placement, offload));
}

// The dense toy, one layer:
//
//   0 embd   1 norm  2 attn_norm  3 Qcur  4 Qrope  5 Kcur  6 Krope  7 Vcur  8 k_write  9 v_write
//   10 keys  11 values  12 attn  13 kqv_out  14 attn_out  15 ffn_inp  16 norm  17 ffn_norm
//   18 ffn_gate  19 ffn_up  20 ffn_act  21 ffn_down  22 l_out
//   23 last_rows  24 norm  25 result_norm  26 result_output

TEST(AssignNodes, FollowsWeights) {
    const Inventory inventory = toy_dense(1);
    const Placement gpu = uniform_placement(inventory, Lane::Gpu);
    EXPECT_EQ(assigned(inventory, gpu), "C" + std::string(26, 'G'));
    const Placement cpu = uniform_placement(inventory, Lane::Cpu);
    EXPECT_EQ(assigned(inventory, cpu), std::string(27, 'C'));
    const Placement streamed = uniform_placement(inventory, Lane::ShardB);
    EXPECT_EQ(assigned(inventory, streamed), "C" + std::string(26, 'G'));
}

// Rule 1: what writes into a cache, or views it, is with the cache.
TEST(AssignNodes, StaysWithTheState) {
    const Inventory inventory = toy_dense(1);
    Placement placement = uniform_placement(inventory, Lane::Gpu);
    placement.states.assign(2, Lane::Cpu);
    // Attention over it is left to the neighbours: from attn_out up, GPU, until the views.
    EXPECT_EQ(assigned(inventory, placement), "CGGGGGGGCCCCGGGGGGGGGGGGGGG");
}

// Rules 2 and 3: FFN on the CPU, and SWIGLU between its matmuls; the sum is drawn up by the head.
TEST(AssignNodes, LeavesTheFfnOnTheCpu) {
    const Inventory inventory = toy_dense(1);
    Placement placement = uniform_placement(inventory, Lane::Gpu);
    place_side(placement, inventory, 0, Side::Ffn, Lane::Cpu);
    EXPECT_EQ(assigned(inventory, placement), "CGGGGGGGGGGGGGGGGGCCCCGGGGG");
}

// Rule 3: with the head on the CPU too nothing draws the sum up, and the CPU takes the rest.
TEST(AssignNodes, GivesTheRestToTheCpu) {
    const Inventory inventory = toy_dense(1);
    Placement placement = uniform_placement(inventory, Lane::Gpu);
    place_side(placement, inventory, 0, Side::Ffn, Lane::Cpu);
    place_side(placement, inventory, -1, Side::Output, Lane::Cpu);
    EXPECT_EQ(assigned(inventory, placement), "CGGGGGGGGGGGGGGGGGCCCCCCCCC");
}

// Rule 3: the GPU goes down the graph before it goes up: l_out, last_rows and norm follow ffn_down.
TEST(AssignNodes, SpreadsTheGpuDownToTheCpuHead) {
    const Inventory inventory = toy_dense(1);
    Placement placement = uniform_placement(inventory, Lane::Gpu);
    place_side(placement, inventory, -1, Side::Output, Lane::Cpu);
    EXPECT_EQ(assigned(inventory, placement), "CGGGGGGGGGGGGGGGGGGGGGGGGCC");
}

// Rule 2: a sink decides nothing.
TEST(AssignNodes, IgnoresSmallWeightsOfAttention) {
    const Inventory inventory = toy_model({.n_layers = 1, .sinks = true});
    Placement placement = uniform_placement(inventory, Lane::Gpu);
    const int sinks = weight_index(inventory, "blk.0.attn_sinks.weight");
    placement.weights[std::size_t(sinks)] = Lane::Cpu;
    EXPECT_EQ(assigned(inventory, placement), "C" + std::string(26, 'G'));
}

// Rule 2: nor does a rope factor.
TEST(AssignNodes, IgnoresRopeFactors) {
    Inventory inventory = toy_dense(1);
    add_weight(inventory, "rope_freqs.weight", "f32", {64, 1, 1, 1});
    const Ref factors{Ref::Kind::Weight, int(inventory.weights.size()) - 1};
    inventory.graphs[0].nodes[4].sources.push_back(factors);
    Placement placement = uniform_placement(inventory, Lane::Gpu);
    placement.weights.back() = Lane::Cpu;
    EXPECT_EQ(assigned(inventory, placement), "C" + std::string(26, 'G'));
}

// Rule 2: from 32 rows on stock llama.cpp uploads a CPU weight; GET_ROWS of token_embd it does not.
TEST(AssignNodes, OffloadsBigBatches) {
    const Inventory inventory = toy_model({.n_layers = 1, .tiers = {31, 32}});
    Placement placement = uniform_placement(inventory, Lane::Gpu);
    place_side(placement, inventory, 0, Side::Ffn, Lane::Cpu);
    const std::string on_cpu = "CGGGGGGGGGGGGGGGGGCCCCGGGGG";
    EXPECT_EQ(assigned(inventory, placement, OpOffload::Never, 1), on_cpu);
    EXPECT_EQ(assigned(inventory, placement, OpOffload::Stock, 0), on_cpu);
    EXPECT_EQ(assigned(inventory, placement, OpOffload::Stock, 1), "C" + std::string(26, 'G'));
}

TEST(AssignNodes, KnowsWhatStockUploads) {
    const Inventory inventory = toy_model({.n_layers = 1, .tiers = {31, 32}});
    Placement placement = uniform_placement(inventory, Lane::Cpu);
    const auto offloaded = [&](std::size_t graph, const char* name) {
        const Graph& of = inventory.graphs[graph];
        const Node& node = of.nodes[std::size_t(node_index(of, name))];
        return is_offloaded(inventory, node, placement);
    };
    EXPECT_TRUE(offloaded(1, "ffn_up-0"));
    EXPECT_FALSE(offloaded(0, "ffn_up-0"));
    EXPECT_FALSE(offloaded(1, "embd"));
    EXPECT_FALSE(offloaded(1, "ffn_inp-0"));      // reads no weight
    EXPECT_FALSE(offloaded(1, "result_output"));  // one row
    placement.weights.assign(placement.weights.size(), Lane::Gpu);
    EXPECT_FALSE(offloaded(1, "ffn_up-0"));
}

// Rule 4: a view is with its storage, also where its reader is on the other side.
TEST(AssignNodes, PutsViewsWithTheirStorage) {
    Inventory inventory;
    add_weight(inventory, "blk.0.attn_q.weight", "f16", {2, 2, 1, 1});
    add_weight(inventory, "blk.0.ffn_up.weight", "f16", {2, 2, 1, 1});
    Graph graph;
    GraphMaker make(inventory, graph);
    const Shape row{2, 1, 1, 1};
    const Ref x = make.input("x", "f32", row);
    const Ref a = make.node("MUL_MAT", "a", 0, row, {make.layer_weight(0, "attn_q.weight"), x});
    const Ref b = make.node("MUL_MAT", "b", 0, row, {make.layer_weight(0, "ffn_up.weight"), x});
    const Ref view = make.view("VIEW", "view", 0, row, a);
    make.node("MUL_MAT", "c", 0, row, {make.layer_weight(0, "ffn_up.weight"), view});
    (void)b;
    const Placement placement{{Lane::Gpu, Lane::Cpu}, {}};
    EXPECT_EQ(devices_text(assign_nodes(inventory, graph, placement, OpOffload::Never)), "GCGC");
}

TEST(AssignNodes, KeepsWhatTheDeviceCannotDoOnTheCpu) {
    Inventory inventory = toy_dense(1);
    Graph& graph = inventory.graphs[0];
    graph.nodes[std::size_t(node_index(graph, "ffn_act-0"))].device_supports = false;
    const Placement placement = uniform_placement(inventory, Lane::Gpu);
    EXPECT_EQ(assigned(inventory, placement), "CGGGGGGGGGGGGGGGGGGGCGGGGGG");
}

}  // namespace
}  // namespace pshard
