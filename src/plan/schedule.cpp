#include "plan/schedule.h"

#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/overloaded.h"

namespace pshard {
namespace {

constexpr int kNone = -1;

class Lowering {
public:
    explicit Lowering(const StageCut& cut)
        : cut_(cut),
          load_step_(cut.groups.size(), kNone),
          store_step_(cut.groups.size(), kNone),
          compute_step_(cut.stages.size(), kNone),
          previous_(cut.groups.size(), kNone) {
        for (std::size_t g = 0; g < cut.groups.size(); ++g) {
            int& last = last_in_slot_[slot_index(static_cast<int>(g))];
            previous_[g] = std::exchange(last, static_cast<int>(g));
        }
    }

    Schedule run() {
        for (int s = 0; s < static_cast<int>(cut_.stages.size()); ++s) {
            issue_loads(s);
            compute(s);
            issue_stores(s);
        }
        close_pass();
        return std::move(schedule_);
    }

private:
    const StreamGroup& group(int g) const { return cut_.groups[static_cast<std::size_t>(g)]; }

    std::size_t slot_index(int g) const { return static_cast<std::size_t>(group(g).slot); }

    // The last group up to g that is written back.
    int last_stored(int g) const {
        while (g >= 0 && group(g).states.empty()) --g;
        return g;
    }

    int& load_step(int g) { return load_step_[static_cast<std::size_t>(g)]; }

    int add(ScheduleLane lane, StepKind what) {
        schedule_.steps.push_back({lane, what});
        return static_cast<int>(schedule_.steps.size()) - 1;
    }

    void wait(ScheduleLane lane, int step) {
        if (step != kNone) add(lane, Wait{step, false});
    }

    // All uploads whose slot is known to come free: the stages before s are in the schedule.
    void issue_loads(int s) {
        while (next_load_ < static_cast<int>(cut_.groups.size())) {
            const StreamGroup& next = group(next_load_);
            const int before = previous_[static_cast<std::size_t>(next_load_)];
            const bool slot_known = before == kNone || group(before).last_stage < s;
            const bool ids_known = !next.on_demand || next.first_stage <= s;
            if (!slot_known || !ids_known) return;
            issue_load(next_load_++, before);
        }
    }

    void issue_load(int g, int before) {
        if (before != kNone) {
            wait(ScheduleLane::Upload,
                 compute_step_[static_cast<std::size_t>(group(before).last_stage)]);
            wait(ScheduleLane::Upload, store_step_[static_cast<std::size_t>(before)]);
        } else {
            first_in_slot_.emplace_back(g, add(ScheduleLane::Upload, Wait{kNone, true}));
            const int stored = last_stored(last_in_slot_[slot_index(g)]);
            if (stored != kNone) {
                after_stores_.emplace_back(stored, add(ScheduleLane::Upload, Wait{kNone, true}));
            }
        }
        if (group(g).on_demand && group(g).first_stage > 0) {
            wait(ScheduleLane::Upload,
                 compute_step_[static_cast<std::size_t>(group(g).first_stage) - 1]);
        }
        load_step(g) = add(ScheduleLane::Upload, Load{g});
    }

    void compute(int s) {
        const Stage& stage = cut_.stages[static_cast<std::size_t>(s)];
        const auto lane = stage.device == Device::Gpu ? ScheduleLane::Gpu : ScheduleLane::Cpu;
        const bool changes =
            s > 0 && cut_.stages[static_cast<std::size_t>(s) - 1].device != stage.device;
        if (changes) wait(lane, compute_step_[static_cast<std::size_t>(s) - 1]);
        const bool turns = s == 0 && cut_.stages.back().device != stage.device;
        if (turns) first_compute_wait_ = add(lane, Wait{kNone, true});
        if (stage.group != kNone && group(stage.group).first_stage == s) {
            wait(lane, load_step(stage.group));
        }
        compute_step_[static_cast<std::size_t>(s)] = add(lane, Compute{s});
    }

    void issue_stores(int s) {
        const int g = cut_.stages[static_cast<std::size_t>(s)].group;
        if (g == kNone || group(g).last_stage != s || group(g).states.empty()) return;
        wait(ScheduleLane::Download, compute_step_[static_cast<std::size_t>(s)]);
        store_step_[static_cast<std::size_t>(g)] = add(ScheduleLane::Download, Store{g});
    }

    // The first upload into each slot waits for the slot's last user in the pass before, and until
    // all states up to that one were written back: those that go through this slot are among them.
    // A pass begins to compute when the one before has ended.
    void close_pass() {
        for (const auto& [g, step] : first_in_slot_) {
            const int last = last_in_slot_[slot_index(g)];
            aim(step, compute_step_[static_cast<std::size_t>(group(last).last_stage)]);
        }
        for (const auto& [g, step] : after_stores_) {
            aim(step, store_step_[static_cast<std::size_t>(g)]);
        }
        if (first_compute_wait_ != kNone) aim(first_compute_wait_, compute_step_.back());
    }

    void aim(int wait_step, int target) {
        std::get<Wait>(schedule_.steps[static_cast<std::size_t>(wait_step)].what).step = target;
    }

    const StageCut& cut_;
    Schedule schedule_;
    std::vector<int> load_step_;     // by group
    std::vector<int> store_step_;    // by group
    std::vector<int> compute_step_;  // by stage
    std::vector<int> previous_;      // by group: the group before it in the same slot
    std::array<int, 3> last_in_slot_{kNone, kNone, kNone};
    std::vector<std::pair<int, int>> first_in_slot_;  // group, its Wait on the pass before
    std::vector<std::pair<int, int>>
        after_stores_;  // group, the Wait on its Store in the pass before
    int first_compute_wait_ = kNone;
    int next_load_ = 0;
};

// A group whose slot is handed on before its last stage would deadlock the upload lane.
Status check_lifetimes(const StageCut& cut) {
    std::array<const StreamGroup*, 3> last{};
    for (const StreamGroup& group : cut.groups) {
        const StreamGroup*& before = last[static_cast<std::size_t>(group.slot)];
        if (before != nullptr && before->last_stage >= group.first_stage) {
            return Error{fmt::format("layer {} is needed again after layer {} has taken its slot",
                                     before->layer,
                                     group.layer),
                         {}};
        }
        before = &group;
    }
    return Done{};
}

}  // namespace

std::string_view kind_name(const Step& step) {
    return std::visit(Overloaded{[](const Load&) { return "load"; },
                                 [](const Compute&) { return "compute"; },
                                 [](const Store&) { return "store"; },
                                 [](const Wait&) { return "wait"; }},
                      step.what);
}

Result<Schedule> make_schedule(const StageCut& cut) {
    if (const Status status = check_lifetimes(cut); !status) return status.error();
    return Lowering(cut).run();
}

}  // namespace pshard
