// Checks the order of a schedule by happens-before.
//
// In: a schedule, and what its steps must respect: stages, groups and where groups lie. Out: one
// line for each pair of steps that may run in the wrong order, or at the same time when they may
// not.
//
// Two passes in a row are laid out as events. Every event gets a vector clock: for each lane, how
// many of its events are surely over when this one begins. The clock of an event is the join of the
// one before it on its lane and, for a Wait, of the event that it names:
//
//   upload   e0 Load 0        (1,0)
//   GPU      e1 Wait for e0   (1,1)      e2 Compute 0   (1,2)      so e0 is over before e2 begins
//
// Events of a lane are in order, so that "a is over before b begins" is one comparison: b's clock,
// at a's lane, is above a's position there. If a lane is stuck before all events have a clock, its
// Wait is for ever, and that is the fault.
//
// What must be over before what: a stage before the next one, the last before the first of the next
// pass; a Load before the stages of its group; the stage that makes ids before the Load that needs
// them; the last stage of a group before its Store, and the Store before the Load of the next pass.
// Two groups whose bytes overlap must be used up one after the other, in whichever order. What a
// kept slot holds is used in later passes, so that no other slot may overlap it at all.
//
// Two passes are enough: all passes are alike, and a Wait reaches back by one pass at most.
#include <fmt/format.h>

#include <algorithm>

#include "base/overloaded.h"
#include "verify/checks.h"

namespace pshard {
namespace {

constexpr int kPasses = 2;  // two in a row show every Wait for the pass before

// A step of a pass.
struct Event {
    int step = -1;
    int pass = 0;
};

// Which events are over before another one begins, by vector clocks.
class HappensBefore {
public:
    explicit HappensBefore(const Schedule& schedule)
        : schedule_(schedule),
          n_steps_(static_cast<int>(schedule.steps.size())),
          n_gpus_(count_gpus(schedule)),
          lanes_(schedule_lanes(n_gpus_)) {
        place_on_lanes();
        settle();
    }

    // A Wait that never ends though its lane has come to it; step -1 if there is none.
    Event stuck() const {
        for (const std::vector<int>& lane : lanes_) {
            const auto first =
                std::find_if(lane.begin(), lane.end(), [&](int e) { return !done_[index(e)]; });
            if (first != lane.end()) return event(*first);
        }
        return {};
    }

    bool before(Event a, Event b) const {
        const int one = number(a);
        return one != number(b) && clock(number(b))[lane(one)] > position_[index(one)];
    }

private:
    static std::size_t index(int i) { return static_cast<std::size_t>(i); }

    int n_events() const { return kPasses * n_steps_; }

    int number(Event event) const { return event.pass * n_steps_ + event.step; }

    Event event(int number) const { return {number % n_steps_, number / n_steps_}; }

    const Step& step(int number) const { return schedule_.steps[index(number % n_steps_)]; }

    std::size_t lane(int number) const { return step(number).lane.index(n_gpus_); }

    const int* clock(int number) const { return &clocks_[index(number) * lanes_.size()]; }

    int* clock(int number) { return &clocks_[index(number) * lanes_.size()]; }

    void place_on_lanes() {
        position_.resize(index(n_events()));
        for (int e = 0; e < n_events(); e++) {
            position_[index(e)] = static_cast<int>(lanes_[lane(e)].size());
            lanes_[lane(e)].push_back(e);
        }
        clocks_.resize(index(n_events()) * lanes_.size());
        done_.resize(index(n_events()));
    }

    // The event that a Wait waits for; -1 for other events, and for a pass that never was.
    int target(int number) const {
        const Wait* wait = wait_of(step(number));
        if (wait == nullptr) return -1;
        const int pass = number / n_steps_ - (wait->of_last_pass ? 1 : 0);
        return pass < 0 ? -1 : pass * n_steps_ + wait->step;
    }

    // Lets every lane run as far as it can, until none moves.
    void settle() {
        std::vector<std::size_t> next(lanes_.size());
        for (bool moved = true; moved;) {
            moved = false;
            for (std::size_t l = 0; l < lanes_.size(); l++) {
                const std::size_t before = next[l];
                next[l] = run_lane(l, before);
                moved = moved || next[l] != before;
            }
        }
    }

    // Runs the lane from `next` on; returns how far it comes.
    std::size_t run_lane(std::size_t l, std::size_t next) {
        while (next < lanes_[l].size() && run(lanes_[l][next])) next++;
        return next;
    }

    bool run(int number) {
        const int awaited = target(number);
        if (awaited >= 0 && !done_[index(awaited)]) return false;
        const int position = position_[index(number)];
        if (position > 0) join(number, lanes_[lane(number)][index(position - 1)]);
        if (awaited >= 0) join(number, awaited);
        clock(number)[lane(number)] = position + 1;
        done_[index(number)] = true;
        return true;
    }

    void join(int number, int other) {
        for (std::size_t l = 0; l < lanes_.size(); l++) {
            clock(number)[l] = std::max(clock(number)[l], clock(other)[l]);
        }
    }

    const Schedule& schedule_;
    int n_steps_;
    int n_gpus_;
    std::vector<std::vector<int>> lanes_;  // events in order
    std::vector<int> position_;            // of each event on its lane
    std::vector<int> clocks_;              // after each event, a number for each lane
    std::vector<bool> done_;
};

class ScheduleCheck {
public:
    ScheduleCheck(const PlanUnderTest& plan, Violations& violations)
        : plan_(plan),
          violations_(violations),
          loads_(plan.lowered.cut.groups.size(), -1),
          stores_(plan.lowered.cut.groups.size(), -1),
          computes_(plan.lowered.cut.stages.size(), -1) {
        for (int g = 0; g < n_groups(); g++) extents_.push_back(group_extent(plan, g));
    }

    void run() {
        for (std::size_t i = 0; i < plan_.lowered.schedule.steps.size(); i++)
            index(static_cast<int>(i));
        complete();
        if (!violations_.empty()) return;
        const HappensBefore order(plan_.lowered.schedule);
        if (const Event stuck = order.stuck(); stuck.step >= 0) return complain_stuck(stuck);
        order_ = &order;
        for (int pass = 0; pass < kPasses; pass++) check_pass(pass);
    }

private:
    static std::size_t at(int i) { return static_cast<std::size_t>(i); }

    int n_groups() const { return static_cast<int>(plan_.lowered.cut.groups.size()); }

    int n_stages() const { return static_cast<int>(plan_.lowered.cut.stages.size()); }

    const StreamGroup& group(int g) const { return plan_.lowered.cut.groups[at(g)]; }

    // Notes where each thing is done, and complains if it is done twice or on a wrong lane.
    void index(int step) {
        const Step& made = plan_.lowered.schedule.steps[at(step)];
        const Overloaded noted{
            [&](const Load& load) {
                const ScheduleLane lane = ScheduleLane::Upload.on(group(load.group).slot.gpu);
                note(step, loads_[at(load.group)], lane);
            },
            [&](const Compute& compute) {
                const Device device = plan_.lowered.cut.stages[at(compute.stage)].device;
                note(step, computes_[at(compute.stage)], computing_lane(device));
            },
            [&](const Store& store) {
                const ScheduleLane lane = ScheduleLane::Download.on(group(store.group).slot.gpu);
                note(step, stores_[at(store.group)], lane);
            },
            [](const Wait&) {}};
        std::visit(noted, made.what);
    }

    void note(int step, int& where, ScheduleLane lane) {
        if (where >= 0) complain("{} repeats {}", text(step), text(where));
        if (plan_.lowered.schedule.steps[at(step)].lane != lane)
            complain("{} is on a wrong lane", text(step));
        where = step;
    }

    void complete() {
        for (int s = 0; s < n_stages(); s++) {
            if (computes_[at(s)] < 0) complain("stage {} is never computed", s);
        }
        for (int g = 0; g < n_groups(); g++) {
            const std::string name = group_text(plan_.lowered.cut, g);
            if (loads_[at(g)] < 0) complain("{} is never loaded", name);
            const bool has_states = !group(g).states.empty();
            if (has_states && stores_[at(g)] < 0) complain("{} has states, never stored", name);
            if (!has_states && stores_[at(g)] >= 0) complain("{} has no states to store", name);
        }
    }

    void check_pass(int pass) {
        for (int s = 0; s < n_stages(); s++) check_stage(s, pass);
        for (int g = 0; g < n_groups(); g++) {
            check_group(g, pass);
            for (int other = 0; other < n_groups(); other++) check_slot(g, other, pass);
        }
    }

    void check_stage(int s, int pass) {
        const Event compute{computes_[at(s)], pass};
        if (s > 0) expect({computes_[at(s - 1)], pass}, compute, "program order");
        if (s == 0 && pass > 0) expect({computes_.back(), pass - 1}, compute, "program order");
        const int g = plan_.lowered.cut.stages[at(s)].group;
        if (g >= 0) expect({loads_[at(g)], pass}, compute, "its weights");
    }

    void check_group(int g, int pass) {
        const StreamGroup& streamed = group(g);
        if (streamed.on_demand && streamed.first_stage > 0) {
            const Event ids{computes_[at(streamed.first_stage - 1)], pass};
            expect(ids, {loads_[at(g)], pass}, "the ids of its experts");
        }
        if (streamed.states.empty()) return;
        const Event store{stores_[at(g)], pass};
        expect({computes_[at(streamed.last_stage)], pass}, store, "its states written");
        if (pass > 0 && !stays(g)) {
            expect({stores_[at(g)], pass - 1}, {loads_[at(g)], pass}, "its states stored");
        }
    }

    // Whether the slot keeps the group and no other group is loaded there. From the second pass on
    // its Load does nothing.
    bool stays(int g) const {
        const Slot& slot = group(g).slot;
        const auto& groups = plan_.lowered.cut.groups;
        return slot.keeps() && std::count_if(groups.begin(), groups.end(), [&](const auto& other) {
                                   return other.slot == slot;
                               }) == 1;
    }

    // Checks two uploads whose bytes overlap, both in this pass or one in the pass before: one must
    // be used up before the other begins. Only groups of the same slot may overwrite what a slot
    // keeps.
    void check_slot(int g, int other, int pass) {
        const Slot& slot = group(g).slot;
        if (slot.gpu != group(other).slot.gpu) return;
        if (!extents_[at(g)].overlaps(extents_[at(other)])) return;
        if (g == other && stays(g)) return;
        if (slot.keeps() && group(other).slot != slot) {
            return complain("{} may overwrite {}, which its slot keeps for later passes",
                            text(loads_[at(other)]),
                            group_text(plan_.lowered.cut, g));
        }
        if (g < other) expect_apart({g, pass}, {other, pass});
        if (pass > 0) expect_apart({other, pass - 1}, {g, pass});
    }

    struct Use {
        int group = 0;
        int pass = 0;
    };

    void expect_apart(Use a, Use b) {
        const Event load_a{loads_[at(a.group)], a.pass};
        const Event load_b{loads_[at(b.group)], b.pass};
        const Event missing = not_over(a, load_b);
        if (missing.step < 0 || not_over(b, load_a).step < 0) return;
        complain("{} may overwrite {} before {} is over{}",
                 text(load_b.step),
                 group_text(plan_.lowered.cut, a.group),
                 text(missing.step),
                 a.pass == b.pass ? "" : " (of the pass before)");
    }

    // The use of the group that need not be over when `load` begins; step -1 if none.
    Event not_over(Use use, Event load) const {
        const StreamGroup& streamed = group(use.group);
        const Event last{computes_[at(streamed.last_stage)], use.pass};
        const Event store{stores_[at(use.group)], use.pass};
        if (!order_->before(last, load)) return last;
        if (store.step >= 0 && !order_->before(store, load)) return store;
        return {};
    }

    void expect(Event first, Event second, std::string_view why) {
        if (order_->before(first, second)) return;
        complain("{} may begin before {}{} is over ({})",
                 text(second.step),
                 text(first.step),
                 first.pass == second.pass ? "" : " of the pass before",
                 why);
    }

    void complain_stuck(Event stuck) {
        const Wait* wait = wait_of(plan_.lowered.schedule.steps[at(stuck.step)]);
        complain("{} never ends: {} never runs", text(stuck.step), text(wait->step));
    }

    std::string text(int step) const { return step_text(plan_.lowered.schedule, step); }

    template <typename... Args>
    void complain(fmt::format_string<Args...> format, Args&&... args) {
        std::string made = fmt::format(format, std::forward<Args>(args)...);
        const bool known = std::find(violations_.begin(), violations_.end(), made) !=
                           violations_.end();  // both passes say the same
        if (!known) violations_.push_back(std::move(made));
    }

    const PlanUnderTest& plan_;
    Violations& violations_;
    std::vector<int> loads_;       // step of each group, -1 if none
    std::vector<int> stores_;      // step of each group
    std::vector<int> computes_;    // step of each stage
    std::vector<Extent> extents_;  // of each group
    const HappensBefore* order_ = nullptr;
};

}  // namespace

void check_schedule(const PlanUnderTest& plan, Violations& violations) {
    Violations found;
    ScheduleCheck(plan, found).run();
    violations.insert(violations.end(), found.begin(), found.end());
}

}  // namespace pshard
