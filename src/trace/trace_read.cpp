// How a trace file is read back.
//
// In:   the text of a trace, piece by piece, which may end anywhere.
// Out:  its passes, each with its schedule and its timeline; or the place of the first fault.
//
//     [ {process_name: format, version, device}     the first event tells what the file is
//       {thread_name: ...} ...                      names of lanes, which are skipped
//       {pass: tokens, tier, steps, events, rest}   opens a pass, and says how much belongs to it
//       {load / compute / store: step, waits} ...   one for each step that ran
//       {pass: ...} ...                             ends the pass before it
//
// A pass is put together from pieces: its own event brings its size and the steps that no event
// shows (`rest`); the event of a step brings the step, its times, and the Waits before it on its
// lane. The pass is whole when every step is known and every event came.
//
// Traps: a run may end at any time, so a pass that lacks events at the end of the text is left out
// and `cut_off` is set; anywhere else it is a fault. Times are compared and subtracted in whole
// nanoseconds, since microseconds as doubles would not give back what was written. A step may be
// told twice, but then equally. Counts of a text are limited before memory is taken for them.
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "trace/trace.h"
#include "trace/trace_events.h"

namespace pshard {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kMostSteps = 10'000'000;  // in a pass
// Bytes of a text for each of its steps, at least: a Wait takes 10, [0,0,true], but stands in the
// event of another step, which takes a hundred. In memory a step takes four times as much.
constexpr std::size_t kLeastStep = 20;
constexpr std::int64_t kStepsOfAny = 1000;  // that a text may have however short it is
constexpr double kLongest = 1e15;           // microseconds: 31 years
constexpr std::int64_t kMostBytes = std::int64_t{1} << 60;
constexpr std::int64_t kMostTokens = std::numeric_limits<std::uint32_t>::max();

// Takes the fields of one object. After the first fault, which is kept, every field reads as its
// least value or as empty.
class Fields {
public:
    explicit Fields(const Json& object) : object_(object) {
        if (!object.is_object()) fault_ = "is no object";
    }

    bool has(const char* key) const { return object_.contains(key); }

    std::string text(const char* key) {
        const Json* value = find(key, "a text", [](const Json& j) { return j.is_string(); });
        return value == nullptr ? "" : value->get<std::string>();
    }

    std::int64_t whole(const char* key, std::int64_t least, std::int64_t most) {
        const Json* value =
            find(key, fmt::format("a whole number from {} to {}", least, most), [&](const Json& j) {
                return j.is_number_integer() && j >= least && j <= most;
            });
        return value == nullptr ? least : value->get<std::int64_t>();
    }

    int index(const char* key, std::int64_t size) {
        return static_cast<int>(whole(key, 0, std::max<std::int64_t>(0, size - 1)));
    }

    bool flag(const char* key) {
        const Json* value =
            find(key, "true or false", [](const Json& j) { return j.is_boolean(); });
        return value != nullptr && value->get<bool>();
    }

    // A time that stands in microseconds in the file.
    std::int64_t nanoseconds(const char* key, double least) {
        const Json* value = find(key, "a time in microseconds", [&](const Json& j) {
            return j.is_number() && j.get<double>() >= least && j.get<double>() < kLongest;
        });
        return value == nullptr ? 0 : std::llround(value->get<double>() * 1e3);
    }

    const Json& list(const char* key) {
        static const Json kEmpty = Json::array();
        const Json* value = find(key, "a list", [](const Json& j) { return j.is_array(); });
        return value == nullptr ? kEmpty : *value;
    }

    const Json& object(const char* key) {
        static const Json kEmpty = Json::object();
        const Json* value = find(key, "an object", [](const Json& j) { return j.is_object(); });
        return value == nullptr ? kEmpty : *value;
    }

    void refuse(std::string fault) {
        if (fault_.empty()) fault_ = std::move(fault);
    }

    [[nodiscard]] const std::string& fault() const { return fault_; }

private:
    template <typename Test>
    const Json* find(const char* key, std::string_view expected, Test is_good) {
        if (!fault_.empty()) return nullptr;
        const auto found = object_.find(key);
        if (found != object_.end() && is_good(*found)) return &*found;
        fault_ = fmt::format("needs '{}', {}", key, expected);
        return nullptr;
    }

    const Json& object_;
    std::string fault_;
};

double in_seconds(std::int64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e9; }

// A pass whose own event was read; the events of its steps follow.
class PassReader {
public:
    // `room`: the steps that the text has bytes for.
    PassReader(Fields& event, std::int64_t room) {
        Fields args(event.object("args"));
        begin_ = event.nanoseconds("ts", -kLongest);
        pass_.begin = in_seconds(begin_);
        pass_.timeline.end = in_seconds(event.nanoseconds("dur", 0));
        index_ = args.whole("pass", 0, std::numeric_limits<int>::max());
        pass_.n_tokens = static_cast<std::uint32_t>(args.whole("tokens", 0, kMostTokens));
        pass_.tier.n_tokens = static_cast<std::uint32_t>(args.whole("tier", 0, kMostTokens));
        if (args.has("tier_depth")) {
            pass_.tier.n_depth =
                static_cast<std::uint32_t>(args.whole("tier_depth", 1, kMostTokens));
        }
        pass_.plan = args.text("plan");
        pass_.weights = args.text("weights");
        events_left_ = args.whole("events", 0, kMostSteps);
        const auto n_steps = static_cast<std::size_t>(args.whole("steps", 0, room));
        pass_.schedule.steps.resize(n_steps);
        pass_.names.resize(n_steps);
        pass_.bytes.resize(n_steps);
        known_.resize(n_steps);
        for (const Json& step : args.list("rest")) add_rest(args, step);
        event.refuse(args.fault());
    }

    void add(Fields& event) {
        Fields args(event.object("args"));
        const std::int64_t begin = event.nanoseconds("ts", -kLongest) - begin_;
        const std::int64_t end = begin + event.nanoseconds("dur", 0);
        const std::int64_t of_pass = args.whole("pass", 0, std::numeric_limits<int>::max());
        if (of_pass != index_)
            args.refuse(fmt::format("needs 'pass' to be {}, as of the pass before", index_));
        if (--events_left_ < 0) args.refuse("is one more than the 'events' of its pass");
        const ScheduleLane lane = lane_of(event);
        const int step = read_step(args, lane, event.text("cat"), event.text("name"));
        for (const Json& wait : args.list("waits")) add_wait(args, lane, wait);
        pass_.timeline.intervals.push_back({step, in_seconds(begin), in_seconds(end)});
        event.refuse(args.fault());
    }

    // Whether events of its steps are missing.
    bool is_cut_off() const { return events_left_ > 0; }

    // What the pass lacks, in words; empty if it is whole.
    std::string missing() const {
        if (is_cut_off()) return fmt::format("lacks the last {} of its events", events_left_);
        const auto gap = std::find(known_.begin(), known_.end(), false);
        if (gap == known_.end()) return "";
        return fmt::format("lacks step {}", gap - known_.begin());
    }

    std::int64_t index() const { return index_; }

    TracedPass take() { return std::move(pass_); }

private:
    std::int64_t n_steps() const { return static_cast<std::int64_t>(known_.size()); }

    static ScheduleLane lane_of(Fields& event) {
        const std::int64_t first = kPassThread + 1;
        const std::int64_t thread =
            event.whole("tid", first, first + std::int64_t{kScheduleLanes} - 1);
        return ScheduleLane::at(static_cast<std::size_t>(thread - first));
    }

    // Keeps a step. A step that is known already must be the same.
    void put(Fields& fields, int index, const Step& step) {
        if (n_steps() == 0) fields.refuse("belongs to a pass without steps");
        if (!fields.fault().empty()) return;
        const auto i = static_cast<std::size_t>(index);
        if (known_[i] && pass_.schedule.steps[i] != step) {
            return fields.refuse(fmt::format("step {} is there twice, and differs", index));
        }
        known_[i] = true;
        pass_.schedule.steps[i] = step;
    }

    int read_step(Fields& fields,
                  ScheduleLane lane,
                  const std::string& category,
                  const std::string& name) {
        const int index = fields.index("step", n_steps());
        const std::int64_t bytes = fields.whole("bytes", 0, kMostBytes);
        put(fields, index, {lane, read_what(fields, category)});
        if (!fields.fault().empty()) return 0;
        pass_.names[static_cast<std::size_t>(index)] = name;
        pass_.bytes[static_cast<std::size_t>(index)] = static_cast<Bytes>(bytes);
        return index;
    }

    static StepKind read_what(Fields& fields, const std::string& category) {
        if (category == "load") return Load{fields.index("group", kMostSteps)};
        if (category == "store") return Store{fields.index("group", kMostSteps)};
        if (category == "compute") return Compute{fields.index("stage", kMostSteps)};
        if (category != "wait") fields.refuse("needs 'cat' to be load, compute, store or wait");
        const auto step = static_cast<int>(fields.whole("for", -1, kMostSteps));
        return Wait{step, fields.flag("of_last_pass")};
    }

    // A Wait as [its step, the step that it waits for, whether that is of the pass before].
    void add_wait(Fields& args, ScheduleLane lane, const Json& wait) {
        const bool good = wait.is_array() && wait.size() == 3 && wait[0].is_number_integer() &&
                          wait[0] >= 0 && wait[0] < n_steps() && wait[1].is_number_integer() &&
                          wait[1] >= -1 && wait[1] <= kMostSteps && wait[2].is_boolean();
        if (!good) return args.refuse("needs 'waits' of the form [step, step, true or false]");
        put(args, wait[0].get<int>(), {lane, Wait{wait[1].get<int>(), wait[2].get<bool>()}});
    }

    void add_rest(Fields& args, const Json& step) {
        Fields fields(step);
        const ScheduleLane lane = lane_of(fields);
        read_step(fields, lane, fields.text("cat"), fields.text("name"));
        args.refuse(fields.fault());
    }

    TracedPass pass_;
    std::int64_t index_ = 0;
    std::int64_t begin_ = 0;  // nanoseconds
    std::int64_t events_left_ = 0;
    std::vector<bool> known_;  // by step
};

class TraceReader {
public:
    TraceReader(TracePieces pieces, std::size_t most_bytes, const std::string& file)
        : events_(std::move(pieces), file),
          room_(std::min(kMostSteps,
                         kStepsOfAny + static_cast<std::int64_t>(most_bytes / kLeastStep))) {}

    Result<Trace> run() {
        for (;;) {
            Result<std::optional<std::string_view>> next = events_.next();
            if (!next) return next.error();
            if (!next.value()) break;
            if (const Status added = add(*next.value()); !added) return added.error();
            last_ = events_.place_of(next.value()->data());
        }
        if (!begun_) return Error{"holds no event", {events_.file(), 0, 0}};
        trace_.cut_off = !events_.closed() && (events_.cut_off() || pass_is_cut_off());
        if (trace_.cut_off && pass_is_cut_off()) pass_.reset();
        std::string missing = end_pass();
        if (!missing.empty()) return Error{std::move(missing), last_};
        return std::move(trace_);
    }

private:
    Error error_at(std::string_view event, std::string message) const {
        return {std::move(message), events_.place_of(event.data())};
    }

    Status add(std::string_view text) {
        Json json;
        try {
            json = Json::parse(text);
        } catch (const Json::parse_error& error) {
            return error_at(text.substr(error.byte == 0 ? 0 : error.byte - 1), "is no valid JSON");
        } catch (const Json::out_of_range&) {
            return error_at(text, "this event holds a number that is too large");
        }
        Fields event(json);
        add_event(event, json);
        if (event.fault().empty()) return Done{};
        return error_at(text, "this event " + event.fault());
    }

    void add_event(Fields& event, const Json& json) {
        const std::string phase = event.text("ph");
        if (!begun_) return begin(event);
        if (phase != "X") return;
        const auto found = json.find("cat");
        const std::string category =
            found != json.end() && found->is_string() ? found->get<std::string>() : "";
        if (category == "pass") {
            if (std::string missing = end_pass(); !missing.empty()) {
                return event.refuse("comes too early: " + missing);
            }
            pass_.emplace(event, room_);
        } else if (category == "load" || category == "compute" || category == "store") {
            if (!pass_) return event.refuse("belongs to no pass");
            pass_->add(event);
        }
    }

    void begin(Fields& event) {
        Fields args(event.object("args"));
        if (args.text("format") != kTraceFormat) args.refuse("is not the first of a pshard trace");
        args.whole("version", kTraceVersion, kTraceVersion);
        trace_.program = args.text("name");
        trace_.device = args.text("device");
        trace_.model = args.text("model");
        event.refuse(args.fault());
        begun_ = true;
    }

    [[nodiscard]] bool pass_is_cut_off() const { return pass_ && pass_->is_cut_off(); }

    // Keeps the pass that was read if it is whole; otherwise tells what it lacks.
    std::string end_pass() {
        if (!pass_) return "";
        const std::string missing = pass_->missing();
        if (!missing.empty()) return fmt::format("pass {} {}", pass_->index(), missing);
        trace_.passes.push_back(pass_->take());
        room_ -= static_cast<std::int64_t>(trace_.passes.back().schedule.steps.size());
        pass_.reset();
        return "";
    }

    TraceEvents events_;
    std::int64_t room_;  // steps that the passes to come may have
    Place last_;         // of the event that was read last
    Trace trace_;
    bool begun_ = false;
    std::optional<PassReader> pass_;
};

}  // namespace

Result<Trace> read_chrome_trace(TracePieces pieces,
                                std::size_t most_bytes,
                                const std::string& file) {
    return TraceReader(std::move(pieces), most_bytes, file).run();
}

Result<Trace> from_chrome_trace(const std::string& text, const std::string& file) {
    std::string_view rest = text;
    const auto piece = [&rest](std::string& to, std::size_t bytes) -> Result<bool> {
        const std::string_view next = rest.substr(0, bytes);
        to += next;
        rest.remove_prefix(next.size());
        return !next.empty();
    };
    return read_chrome_trace(piece, text.size(), file);
}

}  // namespace pshard
