#include "plan/stages.h"

#include "inventory/tensor_view.h"
#include "plan/scratch.h"
#include "support/graph_maker.h"
#include "support/testing.h"
#include "support/toy_models.h"

namespace pshard {
namespace {

// "C[0,1) G[1,18) G[18,22)0": device, nodes, group.
std::string stages_text(const StageCut& cut) {
    std::string text;
    for (const Stage& stage : cut.stages) {
        text += text.empty() ? "" : " ";
        text += stage.device == Device::Gpu ? "G[" : "C[";
        text += std::to_string(stage.node_begin) + "," + std::to_string(stage.node_end) + ")";
        if (stage.group >= 0) text += std::to_string(stage.group);
    }
    return text;
}

StageCut cut_of(const Inventory& inventory,
                const Placement& placement,
                const StageOptions& options = {},
                std::size_t graph = 0) {
    return cut_stages(inventory, inventory.graphs[graph], placement, options);
}

// The nodes of toy_dense(1) are listed in assignment_test.cpp; layer 1 begins at 23.

//   embd | all the rest
//   C    | G
TEST(CutStages, CutsOnlyWhereTheDeviceChanges) {
    const Inventory inventory = toy_dense(2);
    const StageCut cut = cut_of(inventory, uniform_placement(inventory, Lane::Gpu));
    EXPECT_EQ(stages_text(cut), "C[0,1) G[1,49)");
    EXPECT_TRUE(cut.groups.empty());
}

//   embd | norm..norm | ffn_norm MUL..SWIGLU..down | l_out ... | ffn of layer 1 | l_out, head
//   C    | G          | C                          | G         | C              | G
TEST(CutStages, GivesTheCpuItsFfns) {
    const Inventory inventory = toy_dense(2);
    Placement placement = uniform_placement(inventory, Lane::Gpu);
    for (int layer : {0, 1}) place_side(placement, inventory, layer, Side::Ffn, Lane::Cpu);
    EXPECT_EQ(stages_text(cut_of(inventory, placement)),
              "C[0,1) G[1,18) C[18,22) G[22,40) C[40,44) G[44,49)");
}

// A group's stage goes on until a node reads memory of another layer: l_out and the next norm go
// with the FFN, the MUL by attn_norm begins the next stage. The head is of no layer.
//
//   embd | attention 0 | ffn 0, l_out, norm | attention 1 | ffn 1, l_out, head
//   C    | G           | G, 0               | G           | G, 1
TEST(CutStages, CutsAroundStreamedFfns) {
    const Inventory inventory = toy_dense(2);
    Placement placement = uniform_placement(inventory, Lane::Gpu);
    place_side(placement, inventory, 0, Side::Ffn, Lane::ShardA);
    place_side(placement, inventory, 1, Side::Ffn, Lane::ShardB);
    const StageCut cut = cut_of(inventory, placement);
    EXPECT_EQ(stages_text(cut), "C[0,1) G[1,18) G[18,24)0 G[24,40) G[40,49)1");
}

// A layer that shares another's cache reads a view of it, and writes none.
TEST(CutStages, StreamsACacheForWhoReadsAViewOfIt) {
    Inventory inventory;
    add_weight(inventory, "blk.0.attn_q.weight", "f16", {2, 2, 1, 1});
    State& cache = inventory.states.emplace_back();
    cache.bytes = 4;
    cache.alloc_bytes = 128;
    cache.layer = 0;
    Graph graph;
    GraphMaker make(inventory, graph);
    const Shape row{2, 1, 1, 1};
    const Ref x = make.input("x", "f32", row);
    const Ref q = make.node("MUL_MAT", "q", 0, row, {make.layer_weight(0, "attn_q.weight"), x});
    const Ref keys = make.view("VIEW", "keys", 0, row, {Ref::Kind::State, 0});
    make.node("MUL_MAT", "kq", 0, row, {keys, q});
    const StageCut cut = cut_stages(inventory, graph, {{Lane::Gpu}, {Lane::ShardA}}, {});
    EXPECT_EQ(stages_text(cut), "G[0,2) G[2,3)0");
    EXPECT_EQ(cut.groups.front().states, std::vector<int>{0});
}

// The device holds ffn_down (16 bytes) and cannot compute with it. Stock's scheduler copies it and
// the activation of one token (16 bytes) to the CPU; our own runtime has the weight's master there.
//
//   embd | norm..act | ffn_down | l_out, head
//   C    | G         | C        | G
TEST(CutStages, CountsWhatStockCopiesBack) {
    Inventory inventory = toy_dense(1);
    Graph& graph = inventory.graphs[0];
    const int down = node_index(graph, "ffn_down-0");
    graph.nodes[static_cast<std::size_t>(down)].device_supports = false;
    const Placement placement = uniform_placement(inventory, Lane::Gpu);
    const StageCut ours = cut_of(inventory, placement);
    const StageCut stocks = cut_of(inventory, placement, {OpOffload::Stock, false});
    EXPECT_EQ(stages_text(stocks), stages_text(ours));
    ASSERT_EQ(ours.hops.size(), 1u);
    EXPECT_EQ(ours.hops[0].bytes, 16u);
    ASSERT_EQ(stocks.hops.size(), 1u);
    EXPECT_EQ(stocks.hops[0].bytes, 32u);
    const ScratchLayout scratch =
        layout_scratch({inventory, graph, placement, stocks, OpOffload::Stock});
    const int weight = weight_index(inventory, "blk.0.ffn_down.weight");
    EXPECT_NE(scratch.cpu.weights[static_cast<std::size_t>(weight)], kNoOffset);
}

// The same of attention: K and V of all cells come down for it.
TEST(CutStages, CountsTheCacheThatStockCopiesBack) {
    Inventory inventory = toy_dense(1);
    Graph& graph = inventory.graphs[0];
    Bytes viewed = 0;
    for (Node& node : graph.nodes) {
        const bool reads = std::ranges::any_of(node.sources, [&](const Ref& source) {
            return !node.is_view && !node.has_storage &&
                   root_of(source, graph).kind == Ref::Kind::State;
        });
        if (!reads) continue;
        node.device_supports = false;
        for (const Ref& source : node.sources) {
            if (root_of(source, graph).kind != Ref::Kind::State) continue;
            viewed += graph.nodes[static_cast<std::size_t>(source.index)].bytes;
        }
    }
    ASSERT_GT(viewed, 0u);
    const auto hopped = [&](OpOffload offload) {
        const StageCut cut =
            cut_of(inventory, uniform_placement(inventory, Lane::Gpu), {offload, false});
        Bytes bytes = 0;
        for (const Hop& hop : cut.hops) bytes += hop.bytes;
        return bytes;
    };
    EXPECT_EQ(hopped(OpOffload::Stock) - hopped(OpOffload::Never), viewed);
}

TEST(CutStages, GroupsHoldTheWeightsAndStatesOfALayer) {
    const Inventory inventory = toy_dense(2);
    Placement placement = uniform_placement(inventory, Lane::Gpu);
    place_layer(placement, inventory, 1, Lane::ShardB);
    const StageCut cut = cut_of(inventory, placement);
    ASSERT_EQ(cut.groups.size(), 1u);
    const StreamGroup& group = cut.groups[0];
    EXPECT_EQ(group.layer, 1);
    EXPECT_EQ(group.weights.size(), 9u);
    EXPECT_EQ(group.states.size(), 2u);
    EXPECT_EQ(group_bytes(inventory, group), 48u + 48u + 64u);
    EXPECT_EQ(cut.stages[std::size_t(group.first_stage)].group, 0);
    EXPECT_EQ(cut.stages[std::size_t(group.last_stage)].group, 0);
    EXPECT_FALSE(group.on_demand);
}

// DYNAMIC: attention streamed, FFN on the CPU; the CPU's stage parts the uploads' stages.
TEST(CutStages, MixesStreamsAndTheCpu) {
    const Inventory inventory = toy_dense(1);
    Placement placement = uniform_placement(inventory, Lane::Gpu);
    place_side(placement, inventory, 0, Side::Attention, Lane::ShardA);
    place_side(placement, inventory, 0, Side::Ffn, Lane::Cpu);
    const StageCut cut = cut_of(inventory, placement);
    // 1 reads nothing, 2 the first and 17 (ffn_norm) the last streamed weight
    EXPECT_EQ(stages_text(cut), "C[0,1) G[1,2) G[2,18)0 C[18,22) G[22,27)");
}

//   embd 8 and ids 4 and mask 16, k_idxs 8, pos 4 in; ffn_norm 8 to the CPU; ffn_down back.
TEST(CutStages, CountsWhatCrossesTheLink) {
    const Inventory inventory = toy_dense(1);
    Placement placement = uniform_placement(inventory, Lane::Gpu);
    place_side(placement, inventory, 0, Side::Ffn, Lane::Cpu);
    const StageCut cut = cut_of(inventory, placement);
    ASSERT_EQ(stages_text(cut), "C[0,1) G[1,18) C[18,22) G[22,27)");
    EXPECT_EQ(cut.stages[0].bytes_in, 0u);               // the host's own input
    EXPECT_EQ(cut.stages[1].bytes_in, 8u + 4 + 8 + 16);  // embd, inp_pos, k_idxs, mask
    EXPECT_EQ(cut.stages[2].bytes_in, 8u);               // ffn_norm
    EXPECT_EQ(cut.stages[3].bytes_in, 8u + 4);           // ffn_down, inp_out_ids
}

// Routed experts on demand: their own slot, after the stage of the router.
TEST(CutStages, SlicesExperts) {
    const Inventory inventory = toy_moe(2);
    Placement placement = uniform_placement(inventory, Lane::Gpu);
    for (int layer : {0, 1}) place_side(placement, inventory, layer, Side::Ffn, Lane::ShardA);
    const StageCut whole = cut_of(inventory, placement);
    const StageCut sliced = cut_of(inventory, placement, {OpOffload::Never, true});
    ASSERT_EQ(whole.groups.size(), 2u);
    ASSERT_EQ(sliced.groups.size(), 2u);
    for (std::size_t g : {0u, 1u}) {
        EXPECT_NE(whole.groups[g].slot, Slot::Experts);
        EXPECT_FALSE(whole.groups[g].on_demand);
        EXPECT_EQ(sliced.groups[g].slot, Slot::Experts);
        EXPECT_TRUE(sliced.groups[g].on_demand);
        EXPECT_EQ(sliced.groups[g].weights.size(), 3u);
        EXPECT_GT(sliced.groups[g].first_stage, 0);
    }
    const SlotSizes sizes = slot_sizes(inventory, sliced.groups);
    EXPECT_EQ(sizes, (SlotSizes{0, 192}));
    EXPECT_EQ(slot_sizes(inventory, whole.groups), (SlotSizes{384, 0}));
}

// Weights of the given sizes, a group for each, slots taking turns.
struct Turns {
    Inventory inventory;
    std::vector<StreamGroup> groups;
};

Turns turns(const std::vector<Bytes>& sizes) {
    Turns made;
    for (std::size_t i = 0; i < sizes.size(); i++) {
        Weight weight;
        weight.bytes = weight.alloc_bytes = sizes[i];
        made.inventory.weights.push_back(weight);
        StreamGroup group;
        group.slot = i % 2 == 0 ? Slot::A : Slot::B;
        group.weights = {int(i)};
        made.groups.push_back(group);
    }
    return made;
}

SlotSizes sizes_of_turns(const std::vector<Bytes>& sizes) {
    const Turns made = turns(sizes);
    return slot_sizes(made.inventory, made.groups);
}

TEST(SlotSizes, AreThoseOfTheLargestNeighbours) {
    EXPECT_EQ(sizes_of_turns({}), SlotSizes{});
    EXPECT_EQ(sizes_of_turns({7, 5}), (SlotSizes{12, 0}));
    //   A 10 | B 20 | A 15 | B 1      30, 35, 16, and round: 11
    EXPECT_EQ(sizes_of_turns({10, 20, 15, 1}), (SlotSizes{35, 0}));
}

TEST(SlotSizes, GoRoundToTheNextPass) {
    //   A 10 | B 2 | A 3 | B 20       12, 5, 23, and round: 20 + 10
    EXPECT_EQ(sizes_of_turns({10, 2, 3, 20}), (SlotSizes{30, 0}));
}

// The last and the first in one slot are never there together.
TEST(SlotSizes, CountNothingTwiceOfAnOddNumber) {
    EXPECT_EQ(sizes_of_turns({7}), (SlotSizes{7, 0}));
    //   A 10 | B 2 | A 15             12, 17, and round: 15, then 10 in its place
    EXPECT_EQ(sizes_of_turns({10, 2, 15}), (SlotSizes{17, 0}));
}

TEST(SlotSizes, ExpertsHaveTheirOwn) {
    Turns made = turns({10, 20, 30, 40});
    for (std::size_t g : {1u, 3u}) {
        made.groups[g].slot = Slot::Experts;
        made.groups[g].on_demand = true;
    }
    made.groups[2].slot = Slot::B;
    EXPECT_EQ(slot_sizes(made.inventory, made.groups), (SlotSizes{40, 40}));
}

}  // namespace
}  // namespace pshard
