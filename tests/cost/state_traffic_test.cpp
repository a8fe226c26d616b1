#include "cost/state_traffic.h"

#include <gtest/gtest.h>

namespace pshard {
namespace {

Graph graph_of(std::uint32_t n_tokens, std::uint32_t n_seqs = 1) {
    Graph graph;
    graph.n_tokens = n_tokens;
    graph.n_seqs = n_seqs;
    return graph;
}

// 100 cells of 8 bytes.
State kv(const char* name) {
    State state;
    state.name = name;
    state.type = "f16";
    state.shape = {4, 100, 1, 1};
    state.bytes = 800;
    state.n_cells = 100;
    return state;
}

TEST(StateTraffic, MovesUsedCellsUpAndWrittenCellsDown) {
    EXPECT_EQ(state_traffic(kv("cache_k_l0"), graph_of(5), {}, 30), (StateTraffic{240, 40}));
    EXPECT_EQ(state_traffic(kv("cache_k_l0"), graph_of(5), {}, 0), (StateTraffic{0, 40}));
}

TEST(StateTraffic, CountsEverySequence) {
    EXPECT_EQ(state_traffic(kv("cache_k_l0"), graph_of(2, 2), {}, 30), (StateTraffic{480, 16}));
}

// A window's cache has fewer cells than the sequence has tokens.
TEST(StateTraffic, StaysWithinTheCells) {
    EXPECT_EQ(state_traffic(kv("cache_k_l0"), graph_of(500), {}, 3000), (StateTraffic{800, 800}));
}

TEST(StateTraffic, MovesRecurrentStateWholeBothWays) {
    State state = kv("cache_s_l0");
    state.kind = StateKind::Recurrent;
    state.n_cells = 0;
    EXPECT_EQ(state_traffic(state, graph_of(1), {}, 3), (StateTraffic{800, 800}));
}

TEST(StateTraffic, MovesATransposedVWhole) {
    Inventory inventory;
    inventory.flash_attention = false;
    EXPECT_EQ(state_traffic(kv("cache_v_l0"), graph_of(1), inventory, 30),
              (StateTraffic{800, 800}));
    EXPECT_EQ(state_traffic(kv("cache_k_l0"), graph_of(1), inventory, 30), (StateTraffic{240, 8}));
}

}  // namespace
}  // namespace pshard
