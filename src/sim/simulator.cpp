#include "sim/simulator.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/overloaded.h"

namespace pshard {
namespace {

constexpr int kPasses = 3;
constexpr Seconds kNever = std::numeric_limits<double>::infinity();
constexpr std::size_t kGpu = static_cast<std::size_t>(ScheduleLane::Gpu);
constexpr std::size_t kUpload = static_cast<std::size_t>(ScheduleLane::Upload);
constexpr std::size_t kDownload = static_cast<std::size_t>(ScheduleLane::Download);
constexpr std::size_t kCpu = static_cast<std::size_t>(ScheduleLane::Cpu);
static_assert(kGpu == 0 && kCpu == kScheduleLanes - 1);

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
          ends_(n_steps_ * kPasses, kNever) {
        for (std::size_t i = 0; i < n_steps_; ++i) {
            lane(schedule.steps[i].lane).steps.push_back(static_cast<int>(i));
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
    LaneState& lane(ScheduleLane which) { return lanes_[static_cast<std::size_t>(which)]; }

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

    Duration duration_of(const Step& step) const {
        const auto of = [](const std::vector<Duration>& durations, int index) {
            return durations[static_cast<std::size_t>(index)];
        };
        return std::visit(
            Overloaded{[&](const Load& load) { return of(costs_.loads, load.group); },
                       [&](const Compute& compute) { return of(costs_.stages, compute.stage); },
                       [&](const Store& store) { return of(costs_.stores, store.group); },
                       [](const Wait&) { return Duration{}; }},  // takes no time of its own
            step.what);
    }

    // Seconds that the rest of the lane's step takes at the present pace.
    Seconds rest(std::size_t which) const {
        const LaneState& state = lanes_[which];
        const bool computes = which == kCpu || which == kGpu;
        return state.left * (computes ? stage_pace(state.duration) : copy_pace(which));
    }

    Seconds stage_pace(const Duration& duration) const {
        const bool copies = lanes_[kUpload].running || lanes_[kDownload].running;
        return copies ? duration.contended : duration.alone;
    }

    Seconds copy_pace(std::size_t which) const {
        const Duration& duration = lanes_[which].duration;
        const std::size_t other = which == kUpload ? kDownload : kUpload;
        Seconds pace = duration.alone;
        if (lanes_[kCpu].running) pace = std::max(pace, duration.contended);
        if (lanes_[kGpu].running) pace = std::max(pace, duration.beside_gpu);
        if (lanes_[other].running) pace = std::max(pace, duration.beside_copy);
        return pace;
    }

    // Moves the clock to the next end of a step; returns how many steps ended.
    std::size_t advance() {
        std::array<Seconds, kScheduleLanes> rests{};
        Seconds shortest = kNever;
        for (std::size_t i = 0; i < lanes_.size(); ++i) {
            rests[i] = lanes_[i].running ? rest(i) : kNever;
            shortest = std::min(shortest, rests[i]);
        }
        now_ += shortest;
        std::size_t ended = 0;
        for (std::size_t i = 0; i < lanes_.size(); ++i) {
            LaneState& state = lanes_[i];
            if (!state.running) continue;
            if (rests[i] <= shortest) {
                finish(state);
                ++ended;
            } else {
                state.left *= 1 - shortest / rests[i];
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
    std::vector<Seconds> ends_;  // by pass and step; kNever: not done
    std::array<LaneState, kScheduleLanes> lanes_;
    Seconds now_ = 0;
    Timeline timeline_;
};

}  // namespace

Result<Simulation> simulate(const Schedule& schedule, const PassCosts& costs) {
    if (schedule.steps.empty()) return Simulation{};
    return Clock(schedule, costs).run();
}

}  // namespace pshard
