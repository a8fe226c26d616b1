// A plan over two GPUs, two links and two arenas: lowered, verified and simulated by the same code
// as for one. No search makes such a plan yet; the placement is made by hand.
//
//   layer    0         1         2         3         4         5         head
//   GPU 0    resident  streamed  streamed
//   GPU 1                                  resident  streamed  streamed  resident
#include "memory/memory_use.h"
#include "plan/plan_hash.h"
#include "sim/simulator.h"
#include "support/testing.h"
#include "support/toy_models.h"
#include "verify/verify.h"

namespace pshard {
namespace {

class TwoGpus : public testing::Test {
protected:
    TwoGpus() : inventory_(toy_dense(6)) {
        placement_ = uniform_placement(inventory_, Lane::Gpu.on(1));
        for (const int layer : {0, 1, 2}) {
            place_layer(placement_, inventory_, layer, layer == 0 ? Lane::Gpu : Lane::ShardA);
        }
        for (const int layer : {4, 5}) {
            place_layer(placement_, inventory_, layer, Lane::ShardB.on(1));
        }
        lowered_ = lower({inventory_, graph()}, placement_, {});
        for (int gpu = 0; gpu < 2; ++gpu) {
            const TierDemand demand{placement_, slots(gpu), scratch(gpu).peak, gpu};
            const Bytes budget = arena_bytes(inventory_, demand);
            arenas_.push_back(pack_arena(inventory_, {demand}, budget).value());
        }
    }

    const Graph& graph() const { return inventory_.graphs.front(); }

    const SlotSizes& slots(int gpu) const { return lowered_.slots.at(std::size_t(gpu)); }

    const DeviceScratch& scratch(int gpu) const {
        return lowered_.scratch.gpus.at(std::size_t(gpu));
    }

    std::vector<std::string> violations() const {
        return verify_variant(inventory_, {{graph(), lowered_}}, arenas_);
    }

    // Loads of 4 s, stages of 1 s.
    PassCosts costs() const {
        PassCosts costs;
        costs.stages.assign(lowered_.cut.stages.size(), {1, 1});
        costs.loads.assign(lowered_.cut.groups.size(), {4, 4, 4, 4});
        costs.stores.assign(lowered_.cut.groups.size(), {});
        return costs;
    }

    Step& step_of(const StepKind& what) {
        return *std::ranges::find(lowered_.schedule.steps, what, &Step::what);
    }

    Inventory inventory_;
    Placement placement_;
    Lowered lowered_;
    std::vector<ArenaLayout> arenas_;
};

TEST_F(TwoGpus, HaveSlotsAndScratchOfTheirOwn) {
    ASSERT_TRUE(lowered_.streamable);
    EXPECT_EQ(lowered_.cut.n_gpus, 2);
    std::vector<Slot> taken;
    for (const StreamGroup& group : lowered_.cut.groups) taken.push_back(group.slot);
    EXPECT_THAT(taken, ElementsAre(Slot::A, Slot::B, Slot::A.on(1), Slot::B.on(1)));
    // Two layers of 96 bytes of weights and 64 of KV cache each, on either GPU.
    EXPECT_EQ(slots(0), (SlotSizes{320, 0}));
    EXPECT_EQ(slots(1), (SlotSizes{320, 0}));
    EXPECT_GT(scratch(0).peak, 0U);
    EXPECT_GT(scratch(1).peak, 0U);
    EXPECT_EQ(device_use(inventory_, lowered_, 0).weights, 96U);
    EXPECT_EQ(device_use(inventory_, lowered_, 1).weights, 96U + 8 + 16);  // and the head
    // Layer 2's result and its norm, which reads no weight, go down the first link and up the
    // second.
    EXPECT_THAT(lowered_.cut.hops, ElementsAre(Hop{4, 0, 8 + 8}));
}

// One group on the first leaves the second to begin with A all the same.
TEST_F(TwoGpus, TakeTurnsEachInItsOwnSlots) {
    place_layer(placement_, inventory_, 2, Lane::Gpu);
    std::vector<Slot> taken;
    for (const StreamGroup& group : lower({inventory_, graph()}, placement_, {}).cut.groups) {
        taken.push_back(group.slot);
    }
    EXPECT_THAT(taken, ElementsAre(Slot::A, Slot::A.on(1), Slot::B.on(1)));
}

TEST_F(TwoGpus, PassTheVerifier) { EXPECT_THAT(violations(), IsEmpty()); }

//   Upload    [ L0  ][ L1  ]          C0: the embeddings, on the CPU; C1 to C3 on GPU 0, C4 to C6
//   GPU       .C1..C2...C3            on GPU 1. GPU 1's uploads hide behind GPU 0's.
//   Upload 1  [ L2  ][ L3  ]
//   GPU 1     ...........C4C5C6
//             0   4   8  9    12      cold: 12. In rhythm each link moves 8 s a pass; one link for
//                                     both would take 16.
TEST_F(TwoGpus, UploadOverBothLinksAtOnce) {
    const Simulation simulation = simulate(lowered_.schedule, costs()).value();
    EXPECT_DOUBLE_EQ(simulation.timeline.end, 12);
    EXPECT_DOUBLE_EQ(simulation.pass_seconds, 8);
    const auto busy = [&](ScheduleLane lane) {
        return busy_seconds(simulation.timeline, lowered_.schedule, lane);
    };
    EXPECT_DOUBLE_EQ(busy(ScheduleLane::Upload), 8);
    EXPECT_DOUBLE_EQ(busy(ScheduleLane::Upload.on(1)), 8);
    EXPECT_DOUBLE_EQ(busy(ScheduleLane::Gpu.on(1)), 3);
    EXPECT_EQ(lane_name(ScheduleLane::Upload.on(1)), "upload 1");
    EXPECT_THAT(draw(simulation.timeline, lowered_.schedule, 12), HasSubstr("GPU 1"));
}

// A stage of 3 s, 6 beside copies over its own link; a copy of 3 s, 6 beside a stage of its own
// GPU.
TEST(TwoLinks, SlowDownOnlyTheirOwnGpu) {
    const auto seconds = [](int link) {
        PassCosts costs;
        costs.stages = {{3, 6}};
        costs.loads = {{3, 3, 6, 3}};
        costs.stores = {{}};
        const Schedule schedule{
            {{ScheduleLane::Upload.on(link), Load{0}}, {ScheduleLane::Gpu, Compute{0}}}};
        return simulate(schedule, costs).value().timeline.end;
    };
    EXPECT_DOUBLE_EQ(seconds(0), 6);
    EXPECT_DOUBLE_EQ(seconds(1), 3);
}

TEST_F(TwoGpus, AreRefusedWithALoadOverTheOtherLink) {
    step_of(Load{2}).lane = ScheduleLane::Upload;
    EXPECT_THAT(violations(), Contains(HasSubstr("(Load of group 2) is on a wrong lane")));
}

TEST_F(TwoGpus, AreRefusedWithAStageThatDoesNotWaitForTheOtherGpu) {
    auto& steps = lowered_.schedule.steps;
    const auto before = std::ranges::find(steps, StepKind{Compute{3}}, &Step::what);
    const Step wait{ScheduleLane::Gpu.on(1), Wait{int(before - steps.begin()), false}};
    std::ranges::find(steps, wait)->what = Wait{0, false};
    EXPECT_THAT(violations(), Contains(HasSubstr("(Compute of stage 4) may begin before")));
}

TEST_F(TwoGpus, AreRefusedWithAWeightInTheOtherMemory) {
    const auto norm = std::size_t(weight_index(inventory_, "blk.3.ffn_norm.weight"));
    lowered_.placement.weights[norm] = Lane::Gpu;
    EXPECT_THAT(violations(), Contains(HasSubstr("which is in the memory of the GPU")));
}

TEST_F(TwoGpus, AreRefusedWithTooSmallAScratchOnTheSecond) {
    arenas_[1].tiers[0].scratch -= 1;
    EXPECT_THAT(violations(), Contains(HasSubstr("bytes of scratch, the peak is")));
}

TEST_F(TwoGpus, AreRefusedWithACopyThatIsOverwritten) {
    // What comes from GPU 0 is added to layer 3's attention after Qcur is written there.
    std::vector<Bytes>& nodes = lowered_.scratch.gpus[1].nodes;
    nodes[std::size_t(node_index(graph(), "l_out-2"))] =
        nodes[std::size_t(node_index(graph(), "Qcur-3"))];
    EXPECT_THAT(violations(), Contains(HasSubstr("in the GPU 1's scratch")));
}

TEST(PublishedIds, CountThreeForEachGpuAndTheCpuLast) {
    EXPECT_EQ(Lane::Gpu.id(), 0);
    EXPECT_EQ(Lane::ShardB.id(), 2);
    EXPECT_EQ(Lane::Cpu.id(), 3);
    EXPECT_EQ(Lane::ShardA.on(1).id(2), 4);
    EXPECT_EQ(Lane::Cpu.id(2), 6);
    for (std::size_t i = 0; i < schedule_lanes(2); ++i) {
        EXPECT_EQ(ScheduleLane::at(i, 2).index(2), i);
    }
}

}  // namespace
}  // namespace pshard
