// Walks a schedule with a clock.
//
// In: a schedule, and the seconds of each step alone and beside what slows it down. Out: when each
// step of the first pass ran, and how long a pass takes in rhythm.
//
// The state is one step at most on each lane, and for each how much of it is left, from 1 to 0. The
// clock jumps from one end of a step to the next:
//
//   1. every idle lane goes on: it passes Waits that are over, and begins the next other step
//   2. each running step has a pace: its seconds beside what runs now
//   3. the clock moves by the shortest rest (left x pace); all other steps lose their share of it
//
//   CPU     [ 4 s alone, 6 beside a copy      ]
//   upload  [ 3 s      ]                            the copy ends at 3, when the CPU has done half
//           0          3           5                (3 of 6); the rest, half of 4 s, ends at 5
//
// What slows what: a copy over any link and a CPU stage share the DRAM; a copy and a stage of its
// own GPU share that GPU's memory; both directions of a link share the link. Beside several a copy
// goes at the slowest pace. Two links share nothing that anybody has measured.
//
// Three passes follow each other, since a pass may begin to upload while the one before computes.
// The time of a pass is the end of the third less the end of the second: the rhythm. The timeline
// is that of the first pass, from a cold start.
//
// A kept slot remembers which group was loaded last: the Load of that group takes no time.
//
// Traps: steps that end at the same time all end in one jump, or a rest of 1e-17 s would follow. If
// nothing runs and no Wait was passed, the schedule waits for itself: an Error, not a loop.
#include "sim/simulator.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/overloaded.h"

namespace pshard {
namespace {

constexpr int kPasses = 3;
constexpr Seconds kNever = std::numeric_limits<double>::infinity();
// The lanes of a GPU, counted from the first, which computes.
constexpr std::size_t kUpload = 1;
constexpr std::size_t kDownload = 2;

// Where a lane is: the step that runs now, and how much of it is left.
struct LaneState {
    std::vector<int> steps;  // of one pass, in order
    std::size_t next = 0;    // counts over all passes
    bool running = false;
    Duration duration;
    double left = 0;  // 1 at the start of a step
    Seconds began = 0;
};

class Clock {
public:
    Clock(const Schedule& schedule, const PassCosts& costs)
        : schedule_(schedule),
          costs_(costs),
          n_steps_(schedule.steps.size()),
          n_gpus_(count_gpus(schedule)),
          ends_(n_steps_ * kPasses, kNever),
          lanes_(schedule_lanes(n_gpus_)),
          rests_(lanes_.size()) {
        for (std::size_t i = 0; i < n_steps_; ++i) {
            const std::size_t lane = schedule.steps[i].lane.index(n_gpus_);
            lanes_[lane].steps.push_back(static_cast<int>(i));
        }
    }

    Result<Simulation> run() {
        std::array<Seconds, kPasses> pass_end{};
        std::size_t done = 0;
        while (done < ends_.size()) {
            const std::size_t started = start_ready_steps();
            if (!any_running()) {
                if (started == 0)
                    return Error{"the schedule deadlocks: a step waits for itself", {}};
                done += started;
                continue;
            }
            done += started + advance();
        }
        for (std::size_t i = 0; i < ends_.size(); ++i) {
            pass_end[i / n_steps_] = std::max(pass_end[i / n_steps_], ends_[i]);
        }
        Simulation simulation;
        simulation.pass_seconds = pass_end[kPasses - 1] - pass_end[kPasses - 2];
        simulation.timeline = std::move(timeline_);
        simulation.timeline.end = pass_end[0];
        return simulation;
    }

private:
    bool any_running() const {
        return std::any_of(lanes_.begin(), lanes_.end(), [](const auto& l) { return l.running; });
    }

    // Lets every idle lane go on as far as it can; returns how many Waits were passed.
    std::size_t start_ready_steps() {
        std::size_t passed = 0;
        for (bool moved = true; moved;) {
            moved = false;
            for (LaneState& state : lanes_) {
                const std::size_t waits = start_next(state);
                moved = moved || waits > 0;
                passed += waits;
            }
        }
        return passed;
    }

    std::size_t start_next(LaneState& state) {
        std::size_t passed = 0;
        while (!state.running && state.next < state.steps.size() * kPasses) {
            const std::size_t pass = state.next / state.steps.size();
            const int step = state.steps[state.next % state.steps.size()];
            const Wait* wait = wait_of(schedule_.steps[static_cast<std::size_t>(step)]);
            if (wait == nullptr) {
                begin(state, step);
                return passed;
            }
            if (!satisfied(*wait, pass)) return passed;
            ends_[pass * n_steps_ + static_cast<std::size_t>(step)] = now_;
            ++state.next;
            ++passed;
        }
        return passed;
    }

    bool satisfied(const Wait& wait, std::size_t pass) const {
        if (wait.step < 0 || (wait.of_last_pass && pass == 0)) return true;
        const std::size_t of_pass = wait.of_last_pass ? pass - 1 : pass;
        return ends_[of_pass * n_steps_ + static_cast<std::size_t>(wait.step)] <= now_;
    }

    void begin(LaneState& state, int step) {
        state.running = true;
        state.left = 1;
        state.began = now_;
        state.duration = duration_of(schedule_.steps[static_cast<std::size_t>(step)]);
    }

    // Whether a kept slot holds the group from an earlier pass; else it holds the group from now
    // on.
    bool is_held(int group) {
        if (costs_.slots.empty()) return false;
        const Slot& slot = costs_.slots[static_cast<std::size_t>(group)];
        if (!slot.keeps()) return false;
        const auto found = std::find_if(
            held_.begin(), held_.end(), [&](const auto& held) { return held.first == slot; });
        if (found == held_.end()) {
            held_.emplace_back(slot, group);
            return false;
        }
        return std::exchange(found->second, group) == group;
    }

    Duration load_duration(int group) {
        return is_held(group) ? Duration{} : costs_.loads[static_cast<std::size_t>(group)];
    }

    Duration duration_of(const Step& step) {
        const auto of = [](const std::vector<Duration>& durations, int index) {
            return durations[static_cast<std::size_t>(index)];
        };
        return std::visit(
            Overloaded{[&](const Load& load) { return load_duration(load.group); },
                       [&](const Compute& compute) { return of(costs_.stages, compute.stage); },
                       [&](const Store& store) { return of(costs_.stores, store.group); },
                       [](const Wait&) { return Duration{}; }},  // takes no time of its own
            step.what);
    }

    // Seconds that the rest of the lane's step takes at the present pace.
    Seconds rest(std::size_t which) const {
        const LaneState& state = lanes_[which];
        return state.left * pace(which);
    }

    Seconds pace(std::size_t which) const {
        const Duration& duration = lanes_[which].duration;
        if (which == lanes_.size() - 1) return any_copies() ? duration.contended : duration.alone;
        const std::size_t gpu = which - which % 3;
        if (which == gpu) return copies(gpu) ? duration.contended : duration.alone;
        return copy_pace(duration, gpu, which == gpu + kUpload ? gpu + kDownload : gpu + kUpload);
    }

    // Whether a copy runs over the link of the GPU whose lanes begin at `gpu`.
    bool copies(std::size_t gpu) const {
        return lanes_[gpu + kUpload].running || lanes_[gpu + kDownload].running;
    }

    bool any_copies() const {
        for (std::size_t gpu = 0; gpu + 1 < lanes_.size(); gpu += 3) {
            if (copies(gpu)) return true;
        }
        return false;
    }

    Seconds copy_pace(const Duration& duration, std::size_t gpu, std::size_t other_way) const {
        Seconds pace = duration.alone;
        if (lanes_.back().running) pace = std::max(pace, duration.contended);
        if (lanes_[gpu].running) pace = std::max(pace, duration.beside_gpu);
        if (lanes_[other_way].running) pace = std::max(pace, duration.beside_copy);
        return pace;
    }

    // Moves the clock to the next end of a step; returns how many steps ended.
    std::size_t advance() {
        Seconds shortest = kNever;
        for (std::size_t i = 0; i < lanes_.size(); ++i) {
            rests_[i] = lanes_[i].running ? rest(i) : kNever;
            shortest = std::min(shortest, rests_[i]);
        }
        now_ += shortest;
        std::size_t ended = 0;
        for (std::size_t i = 0; i < lanes_.size(); ++i) {
            LaneState& state = lanes_[i];
            if (!state.running) continue;
            if (rests_[i] <= shortest) {
                finish(state);
                ++ended;
            } else {
                state.left *= 1 - shortest / rests_[i];
            }
        }
        return ended;
    }

    void finish(LaneState& state) {
        const std::size_t pass = state.next / state.steps.size();
        const int step = state.steps[state.next % state.steps.size()];
        ends_[pass * n_steps_ + static_cast<std::size_t>(step)] = now_;
        if (pass == 0) timeline_.intervals.push_back({step, state.began, now_});
        state.running = false;
        ++state.next;
    }

    const Schedule& schedule_;
    const PassCosts& costs_;
    std::size_t n_steps_;
    int n_gpus_;
    std::vector<Seconds> ends_;               // by pass and step; kNever: not done
    std::vector<LaneState> lanes_;            // by ScheduleLane::index
    std::vector<Seconds> rests_;              // of each lane
    std::vector<std::pair<Slot, int>> held_;  // by kept slot: the group that was loaded last
    Seconds now_ = 0;
    Timeline timeline_;
};

}  // namespace

Result<Simulation> simulate(const Schedule& schedule, const PassCosts& costs) {
    if (schedule.steps.empty()) return Simulation{};
    return Clock(schedule, costs).run();
}

}  // namespace pshard
