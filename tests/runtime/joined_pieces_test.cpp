// Pieces of a graph, put together.
#include "runtime/joined_pieces.h"

#include "support/graph_maker.h"
#include "support/testing.h"

namespace pshard {
namespace {

// Of a model of two layers with one matrix and one cache each.
class JoinedPiecesTest : public testing::Test {
protected:
    JoinedPiecesTest() {
        for (const int layer : {0, 1}) {
            add_weight(inventory_, fmt::format("blk.{}.attn_q.weight", layer), "f16", {2, 2, 1, 1});
            State& state = inventory_.states.emplace_back();
            state.name = fmt::format("cache_k_l{}", layer);
            state.layer = layer;
        }
    }

    // Multiplies what arrives with the layer's matrix, and writes it into the layer's cache.
    Graph piece(int layer) {
        Graph graph;
        GraphMaker make(inventory_, graph);
        const Shape row{2, 1, 1, 1};
        const Ref arrived = make.input("arrived", "f32", row);
        const Ref product = make.node(
            "MUL_MAT", "q", layer, row, {make.layer_weight(layer, "attn_q.weight"), arrived});
        make.write("SET_ROWS", "write", layer, {product}, {Ref::Kind::State, layer});
        return graph;
    }

    // Nodes `from` to `to` of a graph of llama.cpp's.
    PiecePlace place(int from, int to) { return {&inventory_, nodes_ + from, nodes_ + to}; }

    Inventory inventory_;
    JoinedPieces joined_;
    char nodes_[16] = {};
};

TEST_F(JoinedPiecesTest, AreOneGraphWhoseRefsMeanTheirOwn) {
    joined_.add(place(0, 4), piece(0));
    const Graph whole = joined_.add(place(6, 10), piece(1));
    EXPECT_EQ(whole.inputs.size(), 2U);
    ASSERT_EQ(whole.nodes.size(), 4U);
    EXPECT_EQ(whole.nodes[2].sources,
              (std::vector<Ref>{{Ref::Kind::Weight, 1}, {Ref::Kind::Input, 1}}));
    EXPECT_EQ(whole.nodes[3].sources,
              (std::vector<Ref>{{Ref::Kind::Node, 2}, {Ref::Kind::State, 1}}));
    EXPECT_EQ(whole.nodes[3].storage, (Ref{Ref::Kind::State, 1}));
    EXPECT_EQ(written_states(whole), (std::vector<int>{0, 1}));
}

TEST_F(JoinedPiecesTest, BeginAnewWithAGraphInTheSamePlace) {
    joined_.add(place(0, 4), piece(0));
    EXPECT_EQ(joined_.add(place(0, 4), piece(1)), piece(1));
}

// The pieces before this one are llama.cpp's own in this graph.
TEST_F(JoinedPiecesTest, BeginAnewWithAGraphThatWritesTheSame) {
    joined_.add(place(0, 4), piece(0));
    EXPECT_EQ(joined_.add(place(6, 10), piece(0)), piece(0));
}

TEST_F(JoinedPiecesTest, BeginAnewWithAnotherGraph) {
    joined_.add(place(0, 4), piece(0));
    PiecePlace other = place(6, 10);
    other.whole = &joined_;
    EXPECT_EQ(joined_.add(other, piece(1)), piece(1));
}

TEST_F(JoinedPiecesTest, BeginAnewWhereThePiecesAreDropped) {
    joined_.add(place(0, 4), piece(0));
    joined_.drop();
    EXPECT_EQ(joined_.add(place(6, 10), piece(1)), piece(1));
}

}  // namespace
}  // namespace pshard
