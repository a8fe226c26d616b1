// The simulator against sums done by hand. Seconds are small integers; lanes are drawn above each.

#include "sim/simulator.h"
#include "support/testing.h"

namespace pshard {
namespace {

// GPU stages 0..n-1, each with a streamed group of its own.
StageCut streamed_stages(int n) {
    StageCut cut;
    for (int i = 0; i < n; ++i) {
        Stage stage;
        stage.group = i;
        cut.stages.push_back(stage);
        StreamGroup group;
        group.layer = i;
        group.slot = i % 2 == 0 ? Slot::A : Slot::B;
        group.first_stage = i;
        group.last_stage = i;
        cut.groups.push_back(group);
    }
    return cut;
}

PassCosts uniform_costs(int n, Duration load, Duration compute) {
    PassCosts costs;
    costs.loads.assign(std::size_t(n), load);
    costs.stores.assign(std::size_t(n), Duration{});
    costs.stages.assign(std::size_t(n), compute);
    return costs;
}

Simulation run(const StageCut& cut, const PassCosts& costs) {
    const Result<Schedule> schedule = make_schedule(cut);
    EXPECT_TRUE(schedule.ok());
    const Result<Simulation> simulation = simulate(schedule.value(), costs);
    EXPECT_TRUE(simulation.ok());
    return simulation.value();
}

// Upload  [L0][L1].......[L0 of the next pass: slot A is free at 5]
// Gpu     ....[ C0 ][ C1 ]
//         0   2    5    8          cold: 8.  In rhythm the uploads hide: 3 + 3 = 6 a pass.
TEST(Simulator, HidesCopyBehindCompute) {
    const Simulation simulation = run(streamed_stages(2), uniform_costs(2, {2, 2}, {3, 3}));
    EXPECT_DOUBLE_EQ(simulation.timeline.end, 8);
    EXPECT_DOUBLE_EQ(simulation.pass_seconds, 6);
}

// Upload  [   L0  ][   L1  ][   L0  ]
// Gpu     .........[C0].....[C1]
//         0        5  6     10 11     cold: 11.  In rhythm the link never rests: 5 + 5 a pass.
TEST(Simulator, IsBoundByTheLinkWhenCopiesAreLonger) {
    const Simulation simulation = run(streamed_stages(2), uniform_costs(2, {5, 5}, {1, 1}));
    EXPECT_DOUBLE_EQ(simulation.timeline.end, 11);
    EXPECT_DOUBLE_EQ(simulation.pass_seconds, 10);
}

// Any even number of like stages, in rhythm: n * max(load, compute).
TEST(Simulator, AgreesWithTheClosedFormOfLikeStages) {
    for (int n = 2; n <= 16; n += 2) {
        for (const double load : {1.0, 2.0, 3.0, 7.0}) {
            for (const double compute : {1.0, 2.0, 3.0, 7.0}) {
                const Simulation simulation =
                    run(streamed_stages(n), uniform_costs(n, {load, load}, {compute, compute}));
                EXPECT_DOUBLE_EQ(simulation.pass_seconds, n * std::max(load, compute));
            }
        }
    }
}

// Upload  [ L0, at half pace ]
// Cpu     [ C0, at half pace ][rest at full pace]
// Gpu     .....................................[C1]
//         0                   4                6  7
// The load of 2 s takes 4 beside the CPU; C0 of 4 s has half done by then, and 2 s are left.
TEST(Simulator, SharesTheDramBetweenCpuAndCopies) {
    StageCut cut = streamed_stages(2);
    cut.stages[0].device = Device::Cpu;
    cut.stages[0].group = -1;
    cut.groups.erase(cut.groups.begin());
    cut.groups[0].slot = Slot::A;
    cut.stages[1].group = 0;
    PassCosts costs;
    costs.stages = {{4, 8}, {1, 1}};
    costs.loads = {{2, 4}};
    costs.stores = {{0, 0}};
    EXPECT_DOUBLE_EQ(run(cut, costs).timeline.end, 7);
}

// Upload  [ L0 ][ L1 ][ L0 ]
// Gpu     ......[C0, at half pace][rest at full pace]
//         0     2     4     6
// Loads of 2 s, stages of 3 s alone and 6 beside a copy. The first ends at 2 + 2 (a third done
// while L1 runs) + 2 (the rest) = 6: L0 of the next pass waits for it.
TEST(Simulator, SlowsTheGpuDownWhileTheLinkCopies) {
    const StageCut cut = streamed_stages(2);
    const Timeline timeline = run(cut, uniform_costs(2, {2, 2}, {3, 6})).timeline;
    EXPECT_DOUBLE_EQ(timeline.intervals[2].end, 6);
}

// Upload  [ L0 ][ L1, a third ][rest at full pace][ L0 ]
// Gpu     ......[     C0      ]..................[C1]
//         0     2             5                  7
// Loads of 2 s alone and 9 beside a GPU stage of 3 s: of L1 a third is done by 5, the rest takes
// 2 * 2/3 alone.
TEST(Simulator, SlowsCopiesDownWhileTheGpuComputes) {
    const Timeline timeline =
        run(streamed_stages(2), uniform_costs(2, {2, 2, 9, 0}, {3, 3})).timeline;
    EXPECT_DOUBLE_EQ(timeline.intervals[1].end, 5);            // C0
    EXPECT_DOUBLE_EQ(timeline.intervals[2].end, 5 + 4.0 / 3);  // L1
}

// Upload    [ L0, at half pace ]
// Download  [ S0, at half pace ][rest]
//           0                  4     6
// L0 of 2 s takes 4; of S0 of 4 s half is done by then.
TEST(Simulator, SharesTheLinkBetweenCopiesBothWays) {
    Schedule schedule;
    schedule.steps = {{ScheduleLane::Upload, Wait{2, true}},
                      {ScheduleLane::Upload, Load{0}},
                      {ScheduleLane::Download, Store{0}}};
    PassCosts costs;
    costs.loads = {{2, 2, 2, 4}};
    costs.stores = {{4, 4, 4, 8}};
    const Simulation simulation = test::value_of(simulate(schedule, costs));
    EXPECT_DOUBLE_EQ(simulation.timeline.intervals[0].end, 4);
    EXPECT_DOUBLE_EQ(simulation.timeline.end, 6);
}

// Without streams a pass is the sum of its stages, whatever the lanes.
TEST(Simulator, AddsUpStagesThatWaitForEachOther) {
    StageCut cut;
    PassCosts costs;
    double sum = 0;
    for (int i = 0; i < 9; ++i) {
        Stage stage;
        stage.device = i % 3 == 0 ? Device::Cpu : Device::Gpu;
        cut.stages.push_back(stage);
        costs.stages.push_back({double(i + 1), double(i + 1)});
        sum += i + 1;
    }
    EXPECT_DOUBLE_EQ(run(cut, costs).pass_seconds, sum);
}

// Gpu       [C0][C1]
// Download  ....[ S0 ]      the next pass may not load group 0 before its states have arrived
// Upload    [L0][L1]..[L0]
TEST(Simulator, WaitsForStatesToComeBackBeforeTheyGoUpAgain) {
    StageCut cut = streamed_stages(2);
    cut.groups[0].states = {0};
    PassCosts costs = uniform_costs(2, {1, 1}, {1, 1});
    costs.stores[0] = {10, 10};
    // S0 runs from 2 to 12; then L0 and C0: the next S0 ends 12 later.
    EXPECT_DOUBLE_EQ(run(cut, costs).pass_seconds, 12);
}

GraphCost costs_of_one_node(Seconds alone, Seconds under_copies) {
    GraphCost cost;
    cost.gpu = {{alone}, {Bound::Compute}, {0}};
    if (under_copies > 0) cost.gpu_under_copies = {{under_copies}, {Bound::Compute}, {0}};
    return cost;
}

// Alone in a slot that keeps, a group is loaded in the first pass only; beside a second group in
// each.
//
// Upload  [L0][L1]                    [L0]....[L1]....[L0]
// Gpu     ....[C0][C1][C0][C1]        ....[C0]....[C1]....
//         0   2   4   6               0   2   4   6   8      kept: 4 a pass; in turn: 8
TEST(Simulator, LoadsWhatIsKeptOnce) {
    StageCut cut = streamed_stages(2);
    PassCosts costs = uniform_costs(2, {2, 2, 2, 2}, {2, 2});
    const auto pass_seconds = [&](const Slot& first, const Slot& second) {
        cut.groups[0].slot = first;
        cut.groups[1].slot = second;
        costs.slots = {first, second};
        return run(cut, costs).pass_seconds;
    };
    EXPECT_DOUBLE_EQ(pass_seconds(Slot::kept(0), Slot::kept(1)), 4);
    EXPECT_DOUBLE_EQ(pass_seconds(Slot::kept(0), Slot::kept(0)), 8);
    costs.loads = {{5, 5, 5, 5}, {5, 5, 5, 5}};
    EXPECT_DOUBLE_EQ(pass_seconds(Slot::kept(0), Slot::kept(1)), 4);
    EXPECT_DOUBLE_EQ(pass_seconds(Slot::A, Slot::B), 10);  // nothing is kept
}

// 2 s alone, 3 under copies; never less than alone; not known is no slower.
TEST(PricePass, TakesAGpuStageUnderCopiesFromItsOwnColumn) {
    Graph graph;
    graph.nodes.resize(1);
    StageCut cut;
    cut.stages.resize(1);
    cut.stages[0].node_end = 1;
    const auto priced = [&](const GraphCost& cost) {
        return price_pass({}, graph, {}, cut, {{{cost, LinkRates{}}}}).stages.at(0);
    };
    EXPECT_EQ(priced(costs_of_one_node(2, 3)), (Duration{2, 3}));
    EXPECT_EQ(priced(costs_of_one_node(2, 1)), (Duration{2, 2}));
    EXPECT_EQ(priced(costs_of_one_node(2, 0)), (Duration{2, 2}));
}

TEST(Simulator, TellsOfADeadlock) {
    Schedule schedule;
    schedule.steps = {{ScheduleLane::Gpu, Wait{1, false}}, {ScheduleLane::Gpu, Compute{0}}};
    PassCosts costs;
    costs.stages = {{1, 1}};
    const Result<Simulation> simulation = simulate(schedule, costs);
    ASSERT_FALSE(simulation.ok());
    EXPECT_NE(simulation.error().message.find("deadlock"), std::string::npos);
}

}  // namespace
}  // namespace pshard
