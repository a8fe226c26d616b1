#include "plan/idle_weights.h"

#include "support/graph_maker.h"
#include "support/testing.h"

namespace pshard {
namespace {

// Of a layer with five matrices: q is computed on the device, k is not; up is read by both kinds
// of nodes, down through a view by one that the device lacks. Nothing reads gate.
class IdleWeights : public testing::Test {
protected:
    IdleWeights() {
        for (const char* name : {"attn_q", "attn_k", "ffn_up", "ffn_down", "ffn_gate"}) {
            add_weight(inventory_, std::string("blk.0.") + name + ".weight", "f16", {2, 2, 1, 1});
        }
        const Shape row{2, 1, 1, 1};
        Graph& graph = inventory_.graphs.emplace_back();
        GraphMaker make(inventory_, graph);
        const Ref x = make.input("x", "f32", row);
        const auto multiply = [&](const char* name, const Ref& weight, bool supported) {
            make.node("MUL_MAT", name, 0, row, {weight, x});
            graph.nodes.back().device_supports = supported;
        };
        multiply("q", make.layer_weight(0, "attn_q.weight"), true);
        multiply("k", make.layer_weight(0, "attn_k.weight"), false);
        multiply("up_1", make.layer_weight(0, "ffn_up.weight"), false);
        multiply("up_2", make.layer_weight(0, "ffn_up.weight"), true);
        multiply("up_3", make.layer_weight(0, "ffn_up.weight"), false);
        const Ref down = make.layer_weight(0, "ffn_down.weight");
        multiply("down", make.view("VIEW", "part", 0, row, down), false);
    }

    Inventory inventory_;
};

TEST_F(IdleWeights, AreThoseOfWhichTheDeviceComputesNothing) {
    const std::vector<bool> expected{false, true, false, true, false};
    EXPECT_EQ(idle_weights(inventory_, inventory_.graphs[0]), expected);
    EXPECT_EQ(idle_layer_weights(inventory_, inventory_.graphs[0]), (std::vector<int>{1, 3}));
}

// Stock has one placement for all graphs.
TEST_F(IdleWeights, OfAnInventoryAreIdleInAllItsGraphs) {
    Graph other = inventory_.graphs[0];
    for (Node& node : other.nodes) node.device_supports = node.device_supports || node.name == "k";
    inventory_.graphs.push_back(other);
    const std::vector<bool> expected{false, false, false, true, false};
    EXPECT_EQ(idle_weights(inventory_), expected);
}

// The embeddings are read from host memory wherever the layers are.
TEST_F(IdleWeights, OfNoLayerAreNoLayers) {
    Graph& graph = inventory_.graphs[0];
    for (Node& node : graph.nodes) node.device_supports = true;
    add_weight(inventory_, "token_embd.weight", "f16", {2, 2, 1, 1});
    GraphMaker make(inventory_, graph);
    make.node("GET_ROWS", "embd", -1, {2, 1, 1, 1}, {make.weight("token_embd.weight")});
    graph.nodes.back().device_supports = false;
    EXPECT_TRUE(idle_weights(inventory_, graph).back());
    EXPECT_TRUE(idle_layer_weights(inventory_, graph).empty());
}

// The device writes both caches; attention over K has no kernel, and V is read by both kinds of
// nodes. A write is no use.
TEST_F(IdleWeights, StatesAreIdleThatTheDeviceOnlyWrites) {
    for (const char* name : {"cache_k_l0", "cache_v_l0"}) {
        State& state = inventory_.states.emplace_back();
        state.name = name;
        state.layer = 0;
    }
    Graph& graph = inventory_.graphs[0];
    GraphMaker make(inventory_, graph);
    const Shape row{2, 1, 1, 1};
    const Ref k{Ref::Kind::State, 0};
    const Ref v{Ref::Kind::State, 1};
    for (const Ref& state : {k, v}) {
        make.node("SET_ROWS", "write", 0, row, {make.input("rows", "f32", row), state});
        graph.nodes.back().has_storage = true;
        graph.nodes.back().storage = state;
    }
    make.node("FLASH_ATTN_EXT", "attend", 0, row, {make.view("VIEW", "cells", 0, row, k), v});
    graph.nodes.back().device_supports = false;
    EXPECT_EQ(idle_states(inventory_, graph), (std::vector<bool>{true, true}));
    make.node("GET_ROWS", "look", 0, row, {v});
    EXPECT_EQ(idle_states(inventory_, graph), (std::vector<bool>{true, false}));
}

// llama.cpp attends to the first itself; a graph of another batch reads the second.
TEST_F(IdleWeights, StatesAreIdleThatAreReadElsewhere) {
    for (const char* name : {"cache_k_l0", "cache_v_l0", "cache_k_l1"}) {
        inventory_.states.emplace_back().name = name;
    }
    const Shape row{2, 1, 1, 1};
    Graph other;
    GraphMaker(inventory_, other).node("GET_ROWS", "look", 0, row, {{Ref::Kind::State, 1}});
    Graph& graph = inventory_.graphs[0];
    GraphMaker make(inventory_, graph);
    const Ref rows = make.input("rows", "f32", row);
    for (const int state : {0, 1}) {
        make.write("SET_ROWS", "write", 0, {rows}, {Ref::Kind::State, state});
    }
    const std::vector<bool> none(3);
    EXPECT_EQ(states_read_elsewhere(inventory_, graph), (std::vector<bool>{true, true, false}));
    inventory_.graphs.push_back(other);
    const Graph& same = inventory_.graphs[0];
    EXPECT_EQ(states_read_elsewhere(inventory_, same), (std::vector<bool>{true, false, false}));
    EXPECT_EQ(idle_states(inventory_, same), (std::vector<bool>{true, false, false}));
    EXPECT_EQ(states_read_elsewhere(inventory_, other), none);
}

}  // namespace
}  // namespace pshard
