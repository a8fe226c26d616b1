#include "plan/schedule.h"
#include "support/testing.h"

namespace pshard {
namespace {

// A cut by hand: "G0 C G1" is a GPU stage of group 0, a CPU stage, a GPU stage of group 1. Slots
// take turns.
StageCut cut_of(const std::string& text) {
    StageCut cut;
    for (std::size_t i = 0; i < text.size(); i++) {
        if (text[i] != 'G' && text[i] != 'C') continue;
        Stage stage;
        stage.device = text[i] == 'G' ? Device::Gpu : Device::Cpu;
        stage.node_begin = int(cut.stages.size());
        stage.node_end = stage.node_begin + 1;
        if (i + 1 < text.size() && text[i + 1] >= '0' && text[i + 1] <= '9') {
            stage.group = text[i + 1] - '0';
            const auto group = std::size_t(stage.group);
            if (group == cut.groups.size()) {
                StreamGroup& made = cut.groups.emplace_back();
                made.slot = group % 2 == 0 ? Slot::A : Slot::B;
                made.weights = {stage.group};
                made.first_stage = stage.node_begin;
            }
            cut.groups[group].last_stage = stage.node_begin;
        }
        cut.devices.push_back(stage.device);
        cut.stages.push_back(stage);
    }
    return cut;
}

// Walks `passes` passes with a clock and draws one column a second: a Load takes 2 seconds, a
// Compute and a Store 1. The letters are the stage's or group's index.
class Clock {
public:
    explicit Clock(const Schedule& schedule) : schedule_(schedule) {}

    std::string draw(int passes) {
        for (int pass = 0; pass < passes; pass++) {
            for (std::size_t i = 0; i < schedule_.steps.size(); i++) step(i, pass);
        }
        return rows_[1] + "|" + rows_[0] + "|" + rows_[2] + "|" + rows_[3];
    }

private:
    // The steps of a pass in their own order: a Wait's step comes before the Wait.
    void step(std::size_t i, int pass) {
        const Step& made = schedule_.steps[i];
        const auto lane = made.lane.index();
        if (const Wait* wait = std::get_if<Wait>(&made.what)) {
            const int of = pass - (wait->of_last_pass ? 1 : 0);
            if (of < 0) return;
            now_[lane] = std::max(now_[lane], done_.at({of, std::size_t(wait->step)}));
            return;
        }
        const bool load = std::holds_alternative<Load>(made.what);
        int index = load ? std::get<Load>(made.what).group : 0;
        if (const Compute* compute = std::get_if<Compute>(&made.what)) index = compute->stage;
        if (const Store* store = std::get_if<Store>(&made.what)) index = store->group;
        rows_[lane].resize(now_[lane], '.');
        rows_[lane] += std::string(load ? 2 : 1, char('0' + index));
        now_[lane] += load ? 2 : 1;
        done_[{pass, i}] = now_[lane];
    }

    const Schedule& schedule_;
    std::array<std::size_t, kScheduleLanes> now_{};
    std::array<std::string, kScheduleLanes> rows_;
    std::map<std::pair<int, std::size_t>, std::size_t> done_;
};

std::string drawn(const StageCut& cut, int passes = 1) {
    const auto schedule = make_schedule(cut);
    return schedule.ok() ? Clock(schedule.value()).draw(passes) : schedule.error().message;
}

// Upload | GPU | download | CPU, as ScheduleLane has them but the upload first.

TEST(MakeSchedule, ComputesInOrderAcrossDevices) {
    //   GPU  0.2
    //   CPU  .1.3
    EXPECT_EQ(drawn(cut_of("G C G C")), "|0.2||.1.3");
}

TEST(MakeSchedule, LoadsTheNextGroupWhileOneComputes) {
    //   upload  001122..      2 takes the slot of 0, free at 3
    //   GPU     ..0.1.2
    EXPECT_EQ(drawn(cut_of("G0 G1 G2")), "001122|..0.1.2||");
}

TEST(MakeSchedule, WaitsForTheSlot) {
    //   upload  0011..22      2 takes the slot of 0, which its last stage frees at 6
    //   GPU     ..01234.5
    EXPECT_EQ(drawn(cut_of("G0 G0 G0 G0 G1 G2")), "0011..22|..01234.5||");
}

TEST(MakeSchedule, LoadsWhileTheCpuComputes) {
    //   upload  0011
    //   GPU     ..0.3
    //   CPU     ...12
    EXPECT_EQ(drawn(cut_of("G0 C C G1")), "0011|..0..3||...12");
}

TEST(MakeSchedule, GoesOnInTheNextPass) {
    //   upload  0011 0011     the next pass's 0 while 1 computes
    //   GPU     ..0.1.0.1
    EXPECT_EQ(drawn(cut_of("G0 G1"), 2), "00110011|..0.1.0.1||");
}

TEST(MakeSchedule, StoresStatesBeforeTheyAreLoadedAgain) {
    StageCut cut = cut_of("G0 G1");
    cut.groups[0].states = {0};
    //   upload    0011.00     at 4: 0 computed at 3, stored at 4
    //   GPU       ..0.1
    //   download  ...0
    EXPECT_EQ(drawn(cut, 1), "0011|..0.1|...0|");
    EXPECT_EQ(drawn(cut, 2), "00110011|..0.1.0.1|...0...0|");
}

TEST(MakeSchedule, FetchesExpertsOnceTheirIdsAreKnown) {
    StageCut cut = cut_of("G G0");
    cut.groups[0].slot = Slot::Experts;
    cut.groups[0].on_demand = true;
    //   upload  .00
    //   GPU     0..1
    EXPECT_EQ(drawn(cut), ".00|0..1||");
}

// Alone in its slot a group waits for nobody; two take turns as in any other slot.
TEST(MakeSchedule, LetsAKeptSlotKeepItsGroup) {
    StageCut cut = cut_of("G0 G1");
    cut.groups[0].slot = Slot::kept(0);
    cut.groups[1].slot = Slot::kept(1);
    const auto waits = [&] {
        const Schedule schedule = make_schedule(cut).value();
        return std::ranges::count_if(schedule.steps, [](const Step& step) {
            return step.lane == ScheduleLane::Upload && wait_of(step) != nullptr;
        });
    };
    EXPECT_EQ(waits(), 0);
    cut.groups[1].slot = Slot::kept(0);
    EXPECT_EQ(waits(), 2);
    EXPECT_EQ(drawn(cut), "00.11|..0..1||");
}

TEST(MakeSchedule, RefusesAGroupThatIsNeededAgain) {
    EXPECT_FALSE(make_schedule(cut_of("G0 G1 G2 G0")).ok());
}

}  // namespace
}  // namespace pshard
