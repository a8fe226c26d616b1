// Each check of verify, by a right plan that is damaged in one place.
#include "verify/verify.h"
#include "support/graph_maker.h"
#include "support/testing.h"
#include "support/toy_models.h"
#include "support/toy_plan.h"

namespace pshard {
namespace {

// One of the violations names both.
auto names(const std::string& one, const std::string& other) {
    return Contains(AllOf(HasSubstr(one), HasSubstr(other)));
}

std::size_t at(int index) { return std::size_t(index); }

//   layer 0  attention resident, FFN on the CPU
//   layer 1  streamed in A, cache and all
//   layer 2  streamed in B
//   head     resident
class VerifyTest : public ::testing::Test {
protected:
    VerifyTest() {
        const Inventory inventory = toy_model({.n_layers = 3, .alignment = 8});
        Placement placement = uniform_placement(inventory, Lane::Gpu);
        place_side(placement, inventory, 0, Side::Ffn, Lane::Cpu);
        place_layer(placement, inventory, 1, Lane::ShardA);
        place_layer(placement, inventory, 2, Lane::ShardB);
        plan = toy_plan(inventory, placement);
    }

    int weight(const char* name) const { return weight_index(plan.inventory, name); }

    int node(const char* name) const { return node_index(plan.graph, name); }

    int stage_of(int index) const {
        for (std::size_t s = 0; s < plan.lowered.cut.stages.size(); s++) {
            if (plan.lowered.cut.stages[s].node_end > index) return int(s);
        }
        return -1;
    }

    // The step that does this; it must be there.
    template <typename What>
    int step_of(What what) const {
        const auto& steps = plan.lowered.schedule.steps;
        const auto found = std::find_if(steps.begin(), steps.end(), [&](const Step& step) {
            const What* made = std::get_if<What>(&step.what);
            return made != nullptr && *made == what;
        });
        EXPECT_NE(found, steps.end());
        return int(found - steps.begin());
    }

    Step& step(int index) { return plan.lowered.schedule.steps[at(index)]; }

    // Takes a step out; Waits for later steps follow them.
    void drop(int index) {
        plan.lowered.schedule.steps.erase(plan.lowered.schedule.steps.begin() + index);
        for (Step& other : plan.lowered.schedule.steps) {
            Wait* wait = std::get_if<Wait>(&other.what);
            if (wait != nullptr && wait->step > index) wait->step--;
        }
    }

    // Takes out all Waits of a lane for a step.
    void drop_waits(ScheduleLane lane, int target, bool of_last_pass) {
        for (int i = int(plan.lowered.schedule.steps.size()) - 1; i >= 0; i--) {
            const Wait* wait = std::get_if<Wait>(&step(i).what);
            const bool same = wait != nullptr && *wait == Wait{target, of_last_pass};
            if (!same || step(i).lane != lane) continue;
            drop(i);
            if (i < target) target--;
        }
    }

    ToyPlan plan;
};

TEST_F(VerifyTest, FindsNothingInARightPlan) { EXPECT_THAT(plan.violations(), IsEmpty()); }

// Form

TEST_F(VerifyTest, FindsStagesThatDoNotCoverTheGraph) {
    plan.lowered.cut.stages[1].node_begin++;
    EXPECT_THAT(plan.violations(), names("stage 1", "[2, "));
}

TEST_F(VerifyTest, FindsALastStageThatEndsEarly) {
    plan.lowered.cut.stages.back().node_end--;
    EXPECT_THAT(plan.violations(), names("the last stage", "the graph"));
}

// llama.cpp may hand over a piece of a graph that is views alone: there is nothing to compute.
TEST_F(VerifyTest, TakesViewsAloneWithoutAStage) {
    const auto nodes = plan.graph.nodes;
    plan.graph.nodes.clear();
    GraphMaker maker(plan.inventory, plan.graph);
    maker.view("RESHAPE", "view-0", 0, {2, 1, 1, 1}, maker.state("cache_k_l", 0));
    const ToyPlan views =
        make_toy_plan(plan.inventory, plan.graph, plan.lowered.placement, plan.options).value();
    EXPECT_THAT(views.lowered.cut.stages, IsEmpty());
    EXPECT_THAT(views.violations(), IsEmpty());
    plan.graph.nodes = nodes;
    plan.lowered.cut.stages.clear();
    EXPECT_THAT(plan.violations(), names("the last stage ends at node 0", "the graph at"));
}

// A piece of a graph that only reads a streamed state reads the host master; beside a stage that
// has the state in its slot the CPU may not.
TEST_F(VerifyTest, TakesTheHostMasterOfAStateThatNothingMoves) {
    Graph graph;
    GraphMaker maker(plan.inventory, graph);
    maker.node("SOFT_MAX", "probe-1", 1, {2, 1, 1, 1}, {maker.state("cache_k_l", 1)});
    maker.mark_output();
    ToyPlan piece =
        make_toy_plan(plan.inventory, graph, plan.lowered.placement, plan.options).value();
    ASSERT_EQ(piece.lowered.cut.devices[0], Device::Cpu);
    EXPECT_THAT(piece.violations(), IsEmpty());
    StreamGroup group{
        .layer = 1, .weights = {}, .states = {state_index(plan.inventory, "cache_k_l1")}};
    piece.lowered.cut.groups.push_back(group);
    EXPECT_THAT(piece.violations(), names("'probe-1' on the CPU", "'cache_k_l1'"));
}

// What the GPU does not support the CPU computes, from the host master. A weight that nothing else
// reads has no business in VRAM.
TEST_F(VerifyTest, TakesAnUnsupportedNodeOverAWeightThatTheGpuReadsToo) {
    Inventory inventory = toy_model({.n_layers = 1, .alignment = 8});
    Graph& graph = inventory.graphs[0];
    const int q = node_index(graph, "Qcur-0");
    graph.nodes[at(q)].device_supports = false;
    ToyPlan pinned = toy_plan(inventory, uniform_placement(inventory, Lane::Gpu));
    ASSERT_EQ(pinned.lowered.cut.devices[at(q)], Device::Cpu);
    EXPECT_THAT(pinned.violations(), names("'Qcur-0' on the CPU", "which is in VRAM"));
    graph.nodes[at(node_index(graph, "Kcur-0"))].sources[0] = graph.nodes[at(q)].sources[0];
    ToyPlan shared = toy_plan(inventory, uniform_placement(inventory, Lane::Gpu));
    EXPECT_THAT(shared.violations(), IsEmpty());
    shared.graph.nodes[at(q)].device_supports = true;
    EXPECT_THAT(shared.violations(), names("'Qcur-0' on the CPU", "which is in VRAM"));
}

TEST_F(VerifyTest, FindsIndicesOutOfRange) {
    plan.lowered.cut.groups[1].weights.push_back(1000);
    plan.lowered.cut.stages[0].group = 7;
    step(step_of(Load{0})).what = Load{5};
    plan.lowered.scratch.gpus[0].nodes.pop_back();
    EXPECT_THAT(plan.violations(), names("group 1", "1000"));
    EXPECT_THAT(plan.violations(), names("stage 0", "7"));
    EXPECT_THAT(plan.violations(), names("Load of group 5", "2"));
    EXPECT_THAT(plan.violations(), names("scratch.nodes", "entries"));
}

// Arena

TEST_F(VerifyTest, FindsAResidentWithoutAddress) {
    plan.arena.weights[at(weight("output.weight"))] = kNoOffset;
    EXPECT_THAT(plan.violations(), names("'output.weight' is resident", "no address"));
}

TEST_F(VerifyTest, FindsAnAddressOfWhatIsNotResident) {
    plan.arena.weights[at(weight("blk.1.attn_q.weight"))] = 0;
    plan.arena.states[at(state_index(plan.inventory, "cache_v_l2"))] = 0;
    EXPECT_THAT(plan.violations(), names("'blk.1.attn_q.weight'", "not resident"));
    EXPECT_THAT(plan.violations(), names("'cache_v_l2'", "not resident"));
}

TEST_F(VerifyTest, FindsOverlappingResidents) {
    const Bytes q = plan.arena.weights[at(weight("blk.0.attn_q.weight"))];
    plan.arena.states[at(state_index(plan.inventory, "cache_k_l0"))] = q - q % 8;
    EXPECT_THAT(plan.violations(), names("cache_k_l0", "blk.0.attn_q.weight"));
}

TEST_F(VerifyTest, FindsScratchOverTheSlots) {
    plan.arena.scratch_begin -= 8;
    EXPECT_THAT(plan.violations(), names("slots", "scratch"));
}

TEST_F(VerifyTest, FindsAByteOverTheBudget) {
    plan.budget--;
    EXPECT_THAT(plan.violations(), names("scratch", "over the budget"));
    EXPECT_THAT(plan.violations(), names("the arena ends", "over the budget"));
}

TEST_F(VerifyTest, FindsAnEndThatIsTooEarly) {
    plan.arena.end -= 8;
    EXPECT_THAT(plan.violations(), names("scratch", "arena's end"));
}

TEST_F(VerifyTest, FindsWhatIsNotAligned) {
    plan.arena.weights[at(weight("output.weight"))] += 1;
    EXPECT_THAT(plan.violations(), names("output.weight", "not aligned to 8"));
}

TEST_F(VerifyTest, FindsNeighboursThatOverlapInASlotThatShrank) {
    plan.arena.slots.pair -= 8;
    EXPECT_THAT(plan.violations(), names("group 0 (layer 1)", "group 1 (layer 2)"));
}

TEST_F(VerifyTest, FindsAGroupThatLeavesTheSlots) {
    plan.arena.slots.pair = 64;
    EXPECT_THAT(plan.violations(), names("group 0 (layer 1)", "leaves the A/B slots"));
}

// Cut

TEST_F(VerifyTest, FindsANodeOnTheOtherDevice) {
    plan.lowered.cut.devices[at(node("attn_out-0"))] = Device::Cpu;
    EXPECT_THAT(plan.violations(), names("'attn_out-0' on the CPU", "stage of the GPU"));
    EXPECT_THAT(plan.violations(), names("'attn_out-0'", "'blk.0.attn_output.weight'"));
}

TEST_F(VerifyTest, FindsANodeThatTheDeviceDoesNotSupport) {
    plan.graph.nodes[at(node("Qrope-1"))].device_supports = false;
    EXPECT_THAT(plan.violations(), names("'Qrope-1' on the GPU", "not supported"));
}

TEST_F(VerifyTest, FindsAWeightThatIsNotInTheGroup) {
    std::vector<int>& held = plan.lowered.cut.groups[1].weights;
    held.erase(std::find(held.begin(), held.end(), weight("blk.2.ffn_up.weight")));
    EXPECT_THAT(plan.violations(), names("'ffn_up-2'", "'blk.2.ffn_up.weight'"));
}

TEST_F(VerifyTest, FindsAStateThatIsNotInTheGroup) {
    plan.lowered.cut.groups[0].states.pop_back();
    EXPECT_THAT(plan.violations(), names("'v_write-1'", "'cache_v_l1'"));
    EXPECT_THAT(plan.violations(), names("'attn-1'", "'cache_v_l1'"));  // through the view
}

TEST_F(VerifyTest, FindsAStageWithoutItsGroup) {
    plan.lowered.cut.stages[at(plan.lowered.cut.groups[1].last_stage)].group = -1;
    EXPECT_THAT(plan.violations(), names("'ffn_up-2'", "has no group"));
}

TEST_F(VerifyTest, FindsAGroupOnTheCpu) {
    plan.lowered.cut.stages[0].group = 0;
    EXPECT_THAT(plan.violations(), names("stage 0", "group 0 (layer 1)"));
}

TEST_F(VerifyTest, FindsAGroupWithOtherStages) {
    plan.lowered.cut.groups[0].last_stage++;
    EXPECT_THAT(plan.violations(), names("group 0 (layer 1)", "its stages are"));
}

TEST_F(VerifyTest, FindsAWeightThatStaysInHostMemory) {
    plan.lowered.placement.weights[at(weight("blk.2.attn_q.weight"))] = Lane::Cpu;
    EXPECT_THAT(plan.violations(), names("'Qcur-2' on the GPU", "'blk.2.attn_q.weight'"));
}

TEST_F(VerifyTest, FindsAWeightInVramThatTheCpuReads) {
    plan.lowered.placement.weights[at(weight("blk.0.ffn_up.weight"))] = Lane::Gpu;
    EXPECT_THAT(plan.violations(), names("'ffn_up-0' on the CPU", "'blk.0.ffn_up.weight'"));
}

// A sink decides nothing: placed apart from its attention it is out of reach, from either side.
TEST_F(VerifyTest, FindsASinkApartFromItsAttention) {
    const Inventory inventory = toy_model({.n_layers = 1, .sinks = true});
    Placement placement = uniform_placement(inventory, Lane::Gpu);
    const std::size_t sinks = at(weight_index(inventory, "blk.0.attn_sinks.weight"));
    placement.weights[sinks] = Lane::Cpu;
    EXPECT_THAT(toy_plan(inventory, placement).violations(),
                names("'attn-0' on the GPU", "'blk.0.attn_sinks.weight'"));
    placement = uniform_placement(inventory, Lane::Cpu);
    placement.weights[sinks] = Lane::Gpu;
    EXPECT_THAT(toy_plan(inventory, placement).violations(),
                names("'attn-0' on the CPU", "'blk.0.attn_sinks.weight'"));
}

TEST_F(VerifyTest, FindsAStateOfTheOtherSide) {
    plan.lowered.placement.states[at(state_index(plan.inventory, "cache_k_l0"))] = Lane::Cpu;
    EXPECT_THAT(plan.violations(), names("'k_write-0' on the GPU", "'cache_k_l0'"));
}

TEST_F(VerifyTest, FindsAWriteIntoTheOtherSide) {
    Node& written = plan.graph.nodes[at(node("ffn_act-0"))];
    written.has_storage = true;
    written.storage = {Ref::Kind::Node, node("ffn_norm-0")};
    EXPECT_THAT(plan.violations(), names("'ffn_act-0' on the CPU", "'ffn_norm-0'"));
}

// Schedule

TEST_F(VerifyTest, FindsWhatIsNeverDone) {
    drop(step_of(Load{1}));
    drop(step_of(Store{0}));
    EXPECT_THAT(plan.violations(), names("group 1 (layer 2)", "never loaded"));
    EXPECT_THAT(plan.violations(), names("group 0 (layer 1)", "never stored"));
    drop(step_of(Compute{2}));
    EXPECT_THAT(plan.violations(), Contains(HasSubstr("stage 2 is never computed")));
}

TEST_F(VerifyTest, FindsWhatIsDoneTwice) {
    plan.lowered.schedule.steps.push_back({ScheduleLane::Upload, Load{0}});
    EXPECT_THAT(plan.violations(), names("(Load of group 0) repeats", "step"));
}

TEST_F(VerifyTest, FindsAStepOnAWrongLane) {
    step(step_of(Compute{0})).lane = ScheduleLane::Gpu;
    step(step_of(Load{0})).lane = ScheduleLane::Download;
    EXPECT_THAT(plan.violations(), names("Compute of stage 0", "wrong lane"));
    EXPECT_THAT(plan.violations(), names("Load of group 0", "wrong lane"));
}

TEST_F(VerifyTest, FindsALoadThatIsNotAwaited) {
    drop_waits(ScheduleLane::Gpu, step_of(Load{1}), false);
    EXPECT_THAT(plan.violations(), names("Compute of stage", "(Load of group 1)"));
}

TEST_F(VerifyTest, FindsAStageThatDoesNotWaitForTheOtherSide) {
    const int ffn = stage_of(node("ffn_up-0"));
    drop_waits(ScheduleLane::Cpu, step_of(Compute{ffn - 1}), false);
    EXPECT_THAT(plan.violations(),
                names("(Compute of stage " + std::to_string(ffn) + ")",
                      "(Compute of stage " + std::to_string(ffn - 1) + ")"));
}

TEST_F(VerifyTest, FindsAPassThatDoesNotWaitForTheLast) {
    const int last = int(plan.lowered.cut.stages.size()) - 1;
    drop_waits(ScheduleLane::Cpu, step_of(Compute{last}), true);
    EXPECT_THAT(plan.violations(), names("(Compute of stage 0)", "of the pass before"));
}

TEST_F(VerifyTest, FindsALoadIntoASlotThatIsInUse) {
    const int user = plan.lowered.cut.groups[1].last_stage;
    drop_waits(ScheduleLane::Upload, step_of(Compute{user}), true);
    const int store = step_of(Store{1});
    drop_waits(ScheduleLane::Upload, store, true);
    EXPECT_THAT(plan.violations(), names("(Load of group 1) may overwrite group 1", "pass before"));
}

TEST_F(VerifyTest, FindsStatesThatAreLoadedBeforeTheyAreStored) {
    for (int group : {0, 1}) drop_waits(ScheduleLane::Upload, step_of(Store{group}), true);
    EXPECT_THAT(plan.violations(), names("(Load of group 1) may begin", "(Store of group 1)"));
}

TEST_F(VerifyTest, FindsAStoreThatDoesNotWaitForTheStates) {
    drop_waits(
        ScheduleLane::Download, step_of(Compute{plan.lowered.cut.groups[0].last_stage}), false);
    EXPECT_THAT(plan.violations(), names("(Store of group 0)", "(Compute of stage"));
}

// The first upload waits for the stage that needs it.
TEST_F(VerifyTest, FindsALaneThatWaitsForEver) {
    for (Step& other : plan.lowered.schedule.steps) {
        if (Wait* wait = std::get_if<Wait>(&other.what)) wait->step++;
    }
    const int compute = step_of(Compute{plan.lowered.cut.groups[0].first_stage});
    plan.lowered.schedule.steps.insert(plan.lowered.schedule.steps.begin(),
                                       {ScheduleLane::Upload, Wait{compute + 1, false}});
    EXPECT_THAT(plan.violations(), names("never ends", "never runs"));
}

// Three groups: the third takes the slot of the first in the same pass.
TEST_F(VerifyTest, FindsALoadThatDoesNotWaitForItsSlot) {
    const Inventory inventory = toy_dense(3);
    plan = toy_plan(inventory, uniform_placement(inventory, Lane::ShardA));
    ASSERT_EQ(plan.lowered.cut.groups.size(), 4u);  // and the head
    ASSERT_THAT(plan.violations(), IsEmpty());
    drop_waits(
        ScheduleLane::Upload, step_of(Compute{plan.lowered.cut.groups[0].last_stage}), false);
    drop_waits(ScheduleLane::Upload, step_of(Store{0}), false);
    EXPECT_THAT(plan.violations(), names("(Load of group 2) may overwrite group 0", "stage"));
}

TEST_F(VerifyTest, FindsALoadThatDoesNotWaitForTheStoreInItsSlot) {
    const Inventory inventory = toy_dense(3);
    plan = toy_plan(inventory, uniform_placement(inventory, Lane::ShardA));
    drop_waits(ScheduleLane::Upload, step_of(Store{0}), false);
    EXPECT_THAT(plan.violations(),
                names("(Load of group 2) may overwrite group 0", "(Store of group 0)"));
}

TEST_F(VerifyTest, FindsAStoreOfNothing) {
    const Inventory inventory = toy_dense(1);
    Placement placement = uniform_placement(inventory, Lane::Gpu);
    place_side(placement, inventory, 0, Side::Ffn, Lane::ShardA);
    plan = toy_plan(inventory, placement);
    plan.lowered.schedule.steps.push_back({ScheduleLane::Download, Store{0}});
    EXPECT_THAT(plan.violations(), names("group 0 (layer 0)", "no states to store"));
}

TEST_F(VerifyTest, FindsExpertsFetchedBeforeTheirIds) {
    const Inventory inventory = toy_moe(1);
    Placement placement = uniform_placement(inventory, Lane::Gpu);
    place_side(placement, inventory, 0, Side::Ffn, Lane::ShardA);
    plan = toy_plan(inventory, placement, {OpOffload::Never, true});
    ASSERT_THAT(plan.violations(), IsEmpty());
    const int router = plan.lowered.cut.groups[0].first_stage - 1;
    drop_waits(ScheduleLane::Upload, step_of(Compute{router}), false);
    EXPECT_THAT(plan.violations(), names("(Load of group 0)", "the ids of its experts"));
}

TEST_F(VerifyTest, FindsExpertsOutsideTheirSlot) {
    const Inventory inventory = toy_moe(1);
    Placement placement = uniform_placement(inventory, Lane::Gpu);
    place_side(placement, inventory, 0, Side::Ffn, Lane::ShardA);
    plan = toy_plan(inventory, placement, {OpOffload::Never, true});
    plan.arena.slots.experts -= 1;
    EXPECT_THAT(plan.violations(), names("group 0 (layer 0)", "leaves the experts' slots"));
}

// Slots that keep

class KeptSlots : public VerifyTest {
protected:
    // Two streamed layers and the head; `slots` of the layers. The arena is laid out for them.
    void plan_with(const Slot& first, const Slot& second) {
        const Inventory inventory = toy_dense(2);
        Placement placement = uniform_placement(inventory, Lane::ShardA);
        plan = toy_plan(inventory, placement);
        plan.lowered.cut.groups[0].slot = first;
        plan.lowered.cut.groups[1].slot = second;
        plan.lowered.schedule = make_schedule(plan.lowered.cut).value();
        const SlotSizes slots = slot_sizes(inventory, plan.lowered.cut.groups);
        const TierDemand demand{placement, slots, plan.lowered.scratch.gpus[0].peak};
        plan.budget = arena_bytes(inventory, demand);
        plan.arena = pack_arena(inventory, {demand}, plan.budget).value().tiers[0];
    }
};

TEST_F(KeptSlots, HoldGroupsAloneOrInTurn) {
    plan_with(Slot::kept(0), Slot::kept(1));
    EXPECT_EQ(plan.arena.slots.kept, (std::vector<Bytes>{160, 160}));
    EXPECT_THAT(plan.violations(), IsEmpty());
    plan_with(Slot::kept(0), Slot::kept(0));
    EXPECT_EQ(plan.arena.slots.kept, (std::vector<Bytes>{160}));
    EXPECT_THAT(plan.violations(), IsEmpty());
}

// What is kept is used in later passes, too: nothing else may be loaded over it, whenever.
TEST_F(KeptSlots, MayNotBeOverwrittenByOtherSlots) {
    plan_with(Slot::kept(0), Slot::kept(1));
    plan.arena.slots.kept = {80, 160};  // the second begins within the first
    EXPECT_THAT(plan.violations(),
                names("(Load of group 1) may overwrite group 0", "keeps for later passes"));
}

TEST_F(KeptSlots, AreUsedUpBeforeTheNextGroupComes) {
    plan_with(Slot::kept(0), Slot::kept(0));
    drop_waits(
        ScheduleLane::Upload, step_of(Compute{plan.lowered.cut.groups[0].last_stage}), false);
    drop_waits(ScheduleLane::Upload, step_of(Store{0}), false);
    EXPECT_THAT(plan.violations(), names("(Load of group 1) may overwrite group 0", "stage"));
}

TEST_F(KeptSlots, AreFilledBeforeTheyAreRead) {
    plan_with(Slot::kept(0), Slot::kept(1));
    drop_waits(ScheduleLane::Gpu, step_of(Load{0}), false);
    EXPECT_THAT(plan.violations(), names("may begin before", "(Load of group 0)"));
}

// All tiers

TEST(VerifyArena, FindsACommonTensorThatMoves) {
    const Inventory inventory = toy_dense(1);
    const Placement all = uniform_placement(inventory, Lane::Gpu);
    Placement less = all;
    place_side(less, inventory, -1, Side::Output, Lane::Cpu);
    const std::vector<TierDemand> demands = {{all, {}, 8}, {less, {}, 32}};
    ArenaLayout layout = pack_arena(inventory, demands, 300).value();
    ASSERT_THAT(verify_arena(inventory, {all, less}, layout), IsEmpty());

    const auto q = std::size_t(weight_index(inventory, "blk.0.attn_q.weight"));
    const auto k = std::size_t(weight_index(inventory, "blk.0.attn_k.weight"));
    std::swap(layout.tiers[1].weights[q], layout.tiers[1].weights[k]);
    EXPECT_THAT(verify_arena(inventory, {all, less}, layout),
                names("'blk.0.attn_q.weight'", "in tier 1"));
}

TEST(VerifyArena, FindsACommonTensorOutsideTheCommonPart) {
    const Inventory inventory = toy_dense(1);
    const Placement all = uniform_placement(inventory, Lane::Gpu);
    ArenaLayout layout = pack_arena(inventory, {{all, {}, 8}}, 300).value();
    ASSERT_THAT(verify_arena(inventory, {all}, layout), IsEmpty());
    layout.common_end -= 1;
    EXPECT_THAT(verify_arena(inventory, {all}, layout), names("cache_v_l0", "common_end"));
}

TEST(VerifyArena, RefusesTiersOfAnotherModel) {
    const Inventory inventory = toy_dense(1);
    const Placement all = uniform_placement(inventory, Lane::Gpu);
    const ArenaLayout layout = pack_arena(inventory, {{all, {}, 8}}, 300).value();
    EXPECT_THAT(verify_arena(toy_dense(2), {all}, layout), SizeIs(1));
    EXPECT_THAT(verify_arena(inventory, {all, all}, layout), SizeIs(1));
}

}  // namespace
}  // namespace pshard
