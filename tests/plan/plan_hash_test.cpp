// Hashes that the planner's whole graphs and a device's part of them must agree on.
#include "plan/plan_hash.h"
#include "support/testing.h"
#include "support/toy_models.h"

namespace pshard {
namespace {

Hash64 ops_of(const Inventory& inventory, const Graph& graph) {
    const std::optional<Graph> part = device_part(inventory, graph);
    EXPECT_TRUE(part.has_value());
    return part ? ops_hash(inventory, *part) : Hash64{};
}

Hash64 steps_of(const Inventory& inventory,
                const Placement& placement,
                const StageOptions& options = {}) {
    const auto part = device_part(inventory, inventory.graphs.back());
    EXPECT_TRUE(part.has_value());
    const auto steps = steps_hash(inventory, *part, placement, options);
    EXPECT_TRUE(steps.has_value());
    return steps.value_or(Hash64{});
}

// The embeddings are looked up on the CPU; the rest begins with what the device is handed of them.
TEST(DevicePart, BeginsBehindTheEmbeddings) {
    const Inventory inventory = toy_dense(2);
    const Graph& whole = inventory.graphs[0];
    const Graph part = device_part(inventory, whole).value();
    EXPECT_EQ(part.nodes.size(), whole.nodes.size() - 1);
    EXPECT_EQ(part.nodes[0].op, "RMS_NORM");
    ASSERT_EQ(part.inputs.size(), whole.inputs.size() + 1);
    EXPECT_EQ(part.nodes[0].sources,
              (std::vector<Ref>{{Ref::Kind::Input, int(whole.inputs.size())}}));
    EXPECT_EQ(part.inputs.back().name, "embd");
    EXPECT_EQ(part.nodes[1].sources[0], (Ref{Ref::Kind::Node, 0}));
    const Graph again = device_part(inventory, part).value();
    EXPECT_EQ(again, part) << "a device's part is one already";
}

// PSHARD0 takes on what reads its weights, and gives it to the CPU itself.
TEST(DevicePart, HoldsProductsThatTheGpuCannotCompute) {
    Inventory inventory = toy_dense(2);
    Graph& graph = inventory.graphs[0];
    const auto whole = device_part(inventory, graph);
    Node& q = graph.nodes[static_cast<std::size_t>(node_index(graph, "Qcur-1"))];
    q.device_supports = false;
    const auto part = device_part(inventory, graph);
    ASSERT_TRUE(part.has_value());
    EXPECT_EQ(part->nodes.size(), whole->nodes.size());
    inventory.weights[static_cast<std::size_t>(q.sources[0].index)].side = Side::Input;
    EXPECT_FALSE(device_part(inventory, graph).has_value()) << "llama.cpp has it on its own CPU";
}

// Where V is quantized llama.cpp has flash attention alone, whatever the GPU can compute; of others
// -fa auto asks the GPU.
TEST(DevicePart, HoldsAttentionOverAQuantizedCacheThatTheGpuCannotRead) {
    Inventory inventory = toy_dense(2);
    Graph& graph = inventory.graphs[0];
    const auto whole = device_part(inventory, graph);
    Node& attention = graph.nodes[static_cast<std::size_t>(node_index(graph, "attn-1"))];
    attention.device_supports = false;
    EXPECT_FALSE(device_part(inventory, graph).has_value()) << "llama.cpp has it on its own CPU";
    for (State& state : inventory.states) state.type = "iq4_nl";
    const auto part = device_part(inventory, graph);
    ASSERT_TRUE(part.has_value());
    EXPECT_EQ(part->nodes.size(), whole->nodes.size());
}

TEST(DevicePart, IsNoneWhereTheCpuComputesInBetween) {
    Inventory inventory = toy_dense(2);
    inventory.graphs[0].nodes[6].device_supports = false;
    EXPECT_FALSE(device_part(inventory, inventory.graphs[0]).has_value());
    EXPECT_FALSE(device_part(inventory, Graph{}).has_value());
}

TEST(OpsHash, FollowsOpsEdgesAndStreams) {
    const Inventory inventory = toy_dense(2);
    const Graph& graph = inventory.graphs.back();
    const Hash64 planned = ops_of(inventory, graph);
    Graph other = graph;
    other.nodes[6].op = "SOFT_MAX";
    EXPECT_NE(ops_of(inventory, other), planned);
    other = graph;
    other.nodes[6].type = "bf16";
    EXPECT_NE(ops_of(inventory, other), planned);
    other = graph;
    other.nodes[6].shape[3] = 2;
    EXPECT_NE(ops_of(inventory, other), planned);
    other = graph;
    other.nodes.back().sources.back().index -= 1;
    EXPECT_NE(ops_of(inventory, other), planned);
    other = graph;
    other.nodes.insert(other.nodes.end(), other.nodes.back());
    EXPECT_NE(ops_of(inventory, other), planned);
}

// Rows of logits are reserved as each program likes, and names are llama.cpp's own affair.
TEST(OpsHash, IgnoresRowsAndNames) {
    const Inventory inventory = toy_dense(2);
    Graph other = inventory.graphs.back();
    for (Node& node : other.nodes) node.name += " ";
    other.nodes.back().shape[1] += 1;
    EXPECT_EQ(ops_of(inventory, other), ops_of(inventory, inventory.graphs.back()));
}

// As a device sees the model: no token embeddings, and the weights as llama.cpp groups them.
Inventory seen_by_a_device(const Inventory& planned) {
    const auto n = int(planned.weights.size());
    Inventory seen = planned;
    seen.weights = {planned.weights.rbegin(), planned.weights.rend()};
    EXPECT_EQ(seen.weights.back().side, Side::Input);
    seen.weights.pop_back();
    for (Graph& graph : seen.graphs) {
        graph = device_part(planned, graph).value();
        for (Node& node : graph.nodes) {
            for (Ref& source : node.sources) {
                if (source.kind == Ref::Kind::Weight) source.index = n - 1 - source.index;
            }
        }
    }
    return seen;
}

Placement reversed(const Placement& placement) {
    Placement seen = placement;
    seen.weights = {placement.weights.rbegin(), placement.weights.rend()};
    seen.weights.pop_back();
    return seen;
}

TEST(PlanHashes, AreTheSameForPlannerAndDevice) {
    const Inventory planned = toy_moe(3);
    const Inventory seen = seen_by_a_device(planned);
    Placement placement = uniform_placement(planned, Lane::Gpu);
    place_layer(placement, planned, 1, Lane::ShardA);
    place_side(placement, planned, 2, Side::Ffn, Lane::Cpu);
    for (std::size_t i = 0; i < planned.graphs.size(); ++i) {
        EXPECT_EQ(ops_of(planned, planned.graphs[i]), ops_of(seen, seen.graphs[i]));
    }
    for (const bool slice : {false, true}) {
        const StageOptions options{OpOffload::Never, slice};
        EXPECT_EQ(steps_of(planned, placement, options),
                  steps_of(seen, reversed(placement), options));
    }
}

TEST(StepsHash, FollowsWhatIsMovedAndWhereItIsComputed) {
    const Inventory inventory = toy_moe(3);
    Placement placement = uniform_placement(inventory, Lane::Gpu);
    place_side(placement, inventory, 1, Side::Ffn, Lane::ShardA);
    const Hash64 planned = steps_of(inventory, placement);
    EXPECT_EQ(steps_of(inventory, placement), planned);
    EXPECT_NE(steps_of(inventory, placement, {OpOffload::Never, true}), planned);
    place_side(placement, inventory, 2, Side::Ffn, Lane::Cpu);
    EXPECT_NE(steps_of(inventory, placement), planned);
}

}  // namespace
}  // namespace pshard
