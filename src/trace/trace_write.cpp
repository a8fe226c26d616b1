// How passes become the text of a trace file, in Chrome's trace event format.
//
// In:   a TracedPass: a schedule, and when each of its steps ran.
// Out:  one line for the pass, and one for each interval of its timeline.
//
//     steps of a lane     Wait 3   Load 0   Wait 5   Load 1   Wait 7
//                            |       |         |       |        |
//     event of Load 0        `-> waits         |       |        |
//     event of Load 1                          `-> waits        |
//     event of the pass                                         `-> rest
//
// Only steps with an interval become events, so that a viewer shows work alone. The other steps
// must not be lost, since a reader builds the schedule again. A Wait goes to the event of the next
// step that ran on its lane. Steps that ran nowhere, and Waits behind the last event of a lane, go
// to the event of the pass (`rest`).
//
// Traps: every line ends with a comma and the array may stay open, since a run may end at any time.
// A viewer wants microseconds; they are made of whole nanoseconds, so that a reader gets those
// back.
#include <array>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/counted.h"
#include "base/overloaded.h"
#include "trace/trace.h"
#include "trace/trace_events.h"

namespace pshard {
namespace {

using Json = nlohmann::ordered_json;

std::string line_of(const Json& event) {
    return event.dump(-1, ' ', false, Json::error_handler_t::replace) + ",\n";
}

std::int64_t nanoseconds(Seconds seconds) { return std::llround(seconds * 1e9); }

double microseconds(std::int64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e3; }

int thread_of(ScheduleLane lane) { return kPassThread + 1 + static_cast<int>(lane.index()); }

std::string name_event(std::string_view what, int thread, Json args) {
    return line_of({{"name", what},
                    {"ph", "M"},
                    {"pid", kTraceProcess},
                    {"tid", thread},
                    {"args", std::move(args)}});
}

std::string thread_events(int thread, std::string_view name) {
    return name_event("thread_name", thread, {{"name", name}}) +
           name_event("thread_sort_index", thread, {{"sort_index", thread}});
}

Json args_of(const Step& step) {
    const Overloaded args{[](const Load& load) -> Json {
                              return {{"group", load.group}};
                          },
                          [](const Compute& compute) -> Json {
                              return {{"stage", compute.stage}};
                          },
                          [](const Store& store) -> Json {
                              return {{"group", store.group}};
                          },
                          [](const Wait& wait) -> Json {
                              return {{"for", wait.step}, {"of_last_pass", wait.of_last_pass}};
                          }};
    return std::visit(args, step.what);
}

// Writes one pass as lines: its own event, then those of its steps.
class PassWriter {
public:
    PassWriter(const TracedPass& pass, int index)
        : pass_(pass),
          index_(index),
          ran_(pass.schedule.steps.size()),
          waits_(pass.schedule.steps.size(), Json::array()) {
        PSHARD_CHECK(pass.names.size() == ran_.size() && pass.bytes.size() == ran_.size());
        for (const Interval& interval : pass.timeline.intervals) ran_[of(interval)] = true;
        hand_out_waits();
    }

    std::string run() const {
        std::string text = pass_line();
        for (const Interval& interval : pass_.timeline.intervals) text += step_line(interval);
        return text;
    }

private:
    static std::size_t of(const Interval& interval) {
        return static_cast<std::size_t>(interval.step);
    }

    const Step& step(std::size_t i) const { return pass_.schedule.steps[i]; }

    void hand_out_waits() {
        std::array<std::vector<std::size_t>, kScheduleLanes> held;
        for (std::size_t i = 0; i < ran_.size(); ++i) {
            std::vector<std::size_t>& before = held[step(i).lane.index()];
            before.push_back(i);
            if (ran_[i]) give(before, i);
        }
        for (const auto& before : held) {
            for (const std::size_t i : before) rest_.push_back(whole(i));
        }
    }

    // Hands out the steps of a lane before `i` that did not run: a Wait goes to the event of `i`,
    // any other step to the pass.
    void give(std::vector<std::size_t>& before, std::size_t i) {
        before.pop_back();
        for (const std::size_t b : before) {
            const Wait* wait = wait_of(step(b));
            if (wait == nullptr) {
                rest_.push_back(whole(b));
            } else {
                waits_[i].push_back({b, wait->step, wait->of_last_pass});
            }
        }
        before.clear();
    }

    // All of a step that has no event of its own.
    Json whole(std::size_t i) const {
        Json json = {{"step", i},
                     {"tid", thread_of(step(i).lane)},
                     {"cat", kind_name(step(i))},
                     {"name", pass_.names[i]},
                     {"bytes", pass_.bytes[i]}};
        json.update(args_of(step(i)));
        return json;
    }

    std::string pass_line() const {
        Json args = {{"pass", index_}, {"tokens", pass_.n_tokens}, {"tier", pass_.tier.n_tokens}};
        if (!pass_.tier.is_whole_context()) args["tier_depth"] = pass_.tier.n_depth;
        args.update({{"plan", pass_.plan},
                     {"weights", pass_.weights},
                     {"steps", ran_.size()},
                     {"events", pass_.timeline.intervals.size()},
                     {"rest", rest_}});
        return line_of({{"name", counted(pass_.n_tokens, "token")},
                        {"cat", "pass"},
                        {"ph", "X"},
                        {"ts", microseconds(nanoseconds(pass_.begin))},
                        {"dur", microseconds(nanoseconds(pass_.timeline.end))},
                        {"pid", kTraceProcess},
                        {"tid", kPassThread},
                        {"args", std::move(args)}});
    }

    std::string step_line(const Interval& interval) const {
        const std::size_t i = of(interval);
        const std::int64_t begin = nanoseconds(interval.begin);
        Json args = {{"pass", index_}, {"step", i}, {"bytes", pass_.bytes[i]}};
        args.update(args_of(step(i)));
        args["waits"] = waits_[i];
        return line_of({{"name", pass_.names[i]},
                        {"cat", kind_name(step(i))},
                        {"ph", "X"},
                        {"ts", microseconds(nanoseconds(pass_.begin) + begin)},
                        {"dur", microseconds(nanoseconds(interval.end) - begin)},
                        {"pid", kTraceProcess},
                        {"tid", thread_of(step(i).lane)},
                        {"args", std::move(args)}});
    }

    const TracedPass& pass_;
    int index_;
    std::vector<bool> ran_;    // by step
    std::vector<Json> waits_;  // by step that ran
    Json rest_ = Json::array();
};

}  // namespace

std::string trace_begin(const Trace& header) {
    std::string text = "[\n" + name_event("process_name",
                                          kPassThread,
                                          {{"name", header.program},
                                           {"format", kTraceFormat},
                                           {"version", kTraceVersion},
                                           {"device", header.device},
                                           {"model", header.model}});
    text += thread_events(kPassThread, "passes");
    for (std::size_t i = 0; i < kScheduleLanes; ++i) {
        const ScheduleLane lane = ScheduleLane::at(i);
        text += thread_events(thread_of(lane), lane_name(lane));
    }
    return text;
}

std::string trace_pass(const TracedPass& pass, int index) { return PassWriter(pass, index).run(); }

}  // namespace pshard
