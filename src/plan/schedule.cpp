// Makes the schedule of a cut graph: which lane does what, in which order, and what it waits for.
//
// In: stages and groups. Out: steps in the order in which the runtime issues them. Lanes run in
// order by themselves, so that only the edges between lanes are written, as Waits.
//
//   for each stage s:
//       each GPU's uploads, in the order of first use, as far as it is known when their slots come
//           free: the last stage of the group before in the slot is in the schedule already
//       Compute s, after the Load of its group and after stage s - 1 where that is another device's
//       Store, where s is the last stage of a group with states
//
//   upload    [Load 0][Load 1]........[Load 2]          Load 2 takes the slot of 0:
//   GPU       ........[Comp 0][Comp 1][...   ][Comp 2]  it waits for Comp 0 and for Store 0
//   download  ................[Store 0]
//
// So an upload starts as early as its slot is free, and the compute lane never waits for a slot.
//
// A pass follows itself. The first Load into a slot waits for the slot's last user in the pass
// before, and for the last Store up to that one; which steps those are is known only at the end, so
// their Waits are aimed then (close_pass). The first stage waits for the last one of the pass
// before where they are on different devices.
//
// Experts on demand wait for the stage before theirs, which makes their ids. A group that has a
// kept slot to itself waits for nobody: from the second pass on its Load does nothing.
//
// Traps: a Wait on a step that comes later in the same lane would never end; each Wait here names a
// step that is already there, or one of the pass before. A group that is needed again after its
// slot has passed on would need such a Wait: check_lifetimes() refuses the graph, and says which
// layers.
#include "plan/schedule.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/overloaded.h"

namespace pshard {
namespace {

constexpr int kNone = -1;

// The slots of a cut, numbered without gaps: three for each GPU, then those that keep.
class SlotNumbers {
public:
    explicit SlotNumbers(const StageCut& cut) : n_fixed_(3 * static_cast<std::size_t>(cut.n_gpus)) {
        for (const StreamGroup& group : cut.groups) of_group_.push_back(number(group.slot));
    }

    std::size_t of(int group) const { return of_group_[static_cast<std::size_t>(group)]; }

    std::size_t size() const { return n_fixed_ + kept_.size(); }

private:
    std::size_t number(const Slot& slot) {
        if (!slot.keeps()) return 3 * std::size_t{slot.gpu} + static_cast<std::size_t>(slot.kind);
        const auto found = std::find(kept_.begin(), kept_.end(), slot);
        const auto at = static_cast<std::size_t>(found - kept_.begin());
        if (found == kept_.end()) kept_.push_back(slot);
        return n_fixed_ + at;
    }

    std::size_t n_fixed_;
    std::vector<std::size_t> of_group_;
    std::vector<Slot> kept_;
};

class Lowering {
public:
    explicit Lowering(const StageCut& cut)
        : cut_(cut),
          load_step_(cut.groups.size(), kNone),
          store_step_(cut.groups.size(), kNone),
          compute_step_(cut.stages.size(), kNone),
          previous_(cut.groups.size(), kNone),
          slots_(cut),
          last_in_slot_(slots_.size(), kNone),
          queues_(static_cast<std::size_t>(cut.n_gpus)) {
        for (std::size_t g = 0; g < cut.groups.size(); ++g) {
            int& last = last_in_slot_[slots_.of(static_cast<int>(g))];
            previous_[g] = std::exchange(last, static_cast<int>(g));
            queues_[cut.groups[g].slot.gpu].groups.push_back(static_cast<int>(g));
        }
    }

    Schedule run() {
        for (int s = 0; s < static_cast<int>(cut_.stages.size()); ++s) {
            for (Queue& queue : queues_) issue_loads(s, queue);
            compute(s);
            issue_stores(s);
        }
        close_pass();
        return std::move(schedule_);
    }

private:
    const StreamGroup& group(int g) const { return cut_.groups[static_cast<std::size_t>(g)]; }

    // The groups of a GPU, in the order in which they go over its link.
    struct Queue {
        std::vector<int> groups;
        std::size_t next = 0;
    };

    ScheduleLane upload(int g) const { return ScheduleLane::Upload.on(group(g).slot.gpu); }

    ScheduleLane download(int g) const { return ScheduleLane::Download.on(group(g).slot.gpu); }

    // The last group up to g, on the same GPU, that is written back.
    int last_stored(int g) const {
        const std::uint8_t gpu = group(g).slot.gpu;
        while (g >= 0 && (group(g).states.empty() || group(g).slot.gpu != gpu)) --g;
        return g;
    }

    // Whether its slot keeps it for good: nothing else is ever loaded there.
    bool stays(int g) const {
        return group(g).slot.keeps() && previous_[static_cast<std::size_t>(g)] == kNone &&
               last_in_slot_[slots_.of(g)] == g;
    }

    int& load_step(int g) { return load_step_[static_cast<std::size_t>(g)]; }

    int add(ScheduleLane lane, StepKind what) {
        schedule_.steps.push_back({lane, what});
        return static_cast<int>(schedule_.steps.size()) - 1;
    }

    void wait(ScheduleLane lane, int step) {
        if (step != kNone) add(lane, Wait{step, false});
    }

    // Issues all uploads whose slot is known to come free: the stages before s are in the schedule.
    void issue_loads(int s, Queue& queue) {
        while (queue.next < queue.groups.size()) {
            const int g = queue.groups[queue.next];
            const int before = previous_[static_cast<std::size_t>(g)];
            const bool slot_known = before == kNone || group(before).last_stage < s;
            const bool ids_known = !group(g).on_demand || group(g).first_stage <= s;
            if (!slot_known || !ids_known) return;
            issue_load(g, before);
            ++queue.next;
        }
    }

    void issue_load(int g, int before) {
        const ScheduleLane lane = upload(g);
        if (before != kNone) {
            wait(lane, compute_step_[static_cast<std::size_t>(group(before).last_stage)]);
            wait(lane, store_step_[static_cast<std::size_t>(before)]);
        } else if (!stays(g)) {
            first_in_slot_.emplace_back(g, add(lane, Wait{kNone, true}));
            const int stored = last_stored(last_in_slot_[slots_.of(g)]);
            if (stored != kNone) after_stores_.emplace_back(stored, add(lane, Wait{kNone, true}));
        }
        if (group(g).on_demand && group(g).first_stage > 0) {
            wait(lane, compute_step_[static_cast<std::size_t>(group(g).first_stage) - 1]);
        }
        load_step(g) = add(lane, Load{g});
    }

    void compute(int s) {
        const Stage& stage = cut_.stages[static_cast<std::size_t>(s)];
        const ScheduleLane lane = computing_lane(stage.device);
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
        wait(download(g), compute_step_[static_cast<std::size_t>(s)]);
        store_step_[static_cast<std::size_t>(g)] = add(download(g), Store{g});
    }

    // Aims the Waits on the pass before. The first upload into each slot waits for the slot's last
    // user there, and for the last Store up to that user: the states that go through this slot are
    // then written back. A pass begins to compute when the one before has ended.
    void close_pass() {
        for (const auto& [g, step] : first_in_slot_) {
            const int last = last_in_slot_[slots_.of(g)];
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
    SlotNumbers slots_;
    std::vector<int> last_in_slot_;                   // by slot: the last group in it
    std::vector<Queue> queues_;                       // by GPU
    std::vector<std::pair<int, int>> first_in_slot_;  // group, its Wait on the pass before
    std::vector<std::pair<int, int>>
        after_stores_;  // group, the Wait on its Store in the pass before
    int first_compute_wait_ = kNone;
};

// A group whose slot is handed on before its last stage would deadlock the upload lane.
Status check_lifetimes(const StageCut& cut) {
    const SlotNumbers slots(cut);
    std::vector<const StreamGroup*> last(slots.size(), nullptr);
    for (std::size_t g = 0; g < cut.groups.size(); ++g) {
        const StreamGroup& group = cut.groups[g];
        const StreamGroup*& before = last[slots.of(static_cast<int>(g))];
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

int count_gpus(const Schedule& schedule) {
    int highest = 0;
    for (const Step& step : schedule.steps) highest = std::max(highest, int{step.lane.gpu});
    return highest + 1;
}

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
