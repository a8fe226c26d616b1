#include "trace/trace.h"
#include "build_paths.h"
#include "support/testing.h"

#include <fstream>

#include <nlohmann/json.hpp>

#include "support/chrome_trace.h"

namespace pshard {
namespace {

// Every kind of step: Waits before a step, two in a row, at the end of a lane; a Load that did not
// run, with a Wait before it.
//
//   upload   0 Load    5 Wait 6 Load (not run)   8 Wait
//   GPU      1 Wait 2 Wait 3 Compute
//   download 4 Wait 7 Store
//   CPU      9 Compute
TracedPass toy_pass() {
    TracedPass pass;
    pass.n_tokens = 3;
    pass.tier = {4};
    pass.plan = "LAYERPIN \"quoted\", 12 layers";
    pass.weights = "0x0123456789abcdef";
    pass.begin = 1.5;
    pass.schedule = {{{ScheduleLane::Upload, Load{0}},
                      {ScheduleLane::Gpu, Wait{0, false}},
                      {ScheduleLane::Gpu, Wait{7, true}},
                      {ScheduleLane::Gpu, Compute{0}},
                      {ScheduleLane::Download, Wait{3, false}},
                      {ScheduleLane::Upload, Wait{3, false}},
                      {ScheduleLane::Upload, Load{1}},
                      {ScheduleLane::Download, Store{0}},
                      {ScheduleLane::Upload, Wait{-1, true}},
                      {ScheduleLane::Cpu, Compute{1}}}};
    pass.names = {"layer 0", "", "", "layer 0 FFN {", "", "", "layer 1", "layer 0", "", "head\n"};
    pass.bytes = {96, 0, 0, 0, 0, 0, 48, 32, 0, 0};
    pass.timeline = {
        {{0, -0.25, 0.001}, {3, 0.001, 0.002345678}, {9, 0, 0.003}, {7, 0.0025, 0.004}},
        0.003999999};
    return pass;
}

Trace toy_trace() {
    TracedPass second = toy_pass();
    second.begin = 1.504;
    second.n_tokens = 1;
    return {"libggml-pshard 0.1.0", "Toy [GPU], 1 B", "toy \\ model", {toy_pass(), second}};
}

nlohmann::json parsed(const std::string& text) { return nlohmann::json::parse(text); }

std::string replaced(std::string text, std::string_view from, std::string_view to) {
    const std::size_t at = text.find(from);
    EXPECT_NE(at, text.npos) << from;
    return text.replace(at, from.size(), to);
}

// The error for the toy trace with one text replaced by another.
std::string fault_of(std::string_view from, std::string_view to) {
    const auto trace =
        from_chrome_trace(replaced(test::to_chrome_trace(toy_trace()), from, to), "t.json");
    return trace ? "" : trace.error().text();
}

TEST(Trace, ComesBackAsItWas) {
    const Trace trace = toy_trace();
    const auto back = test::value_of(from_chrome_trace(test::to_chrome_trace(trace)));
    EXPECT_EQ(back, trace);
}

TEST(Trace, ComesBackWithoutPasses) {
    const Trace trace = {"program", "", "", {}};
    EXPECT_EQ(from_chrome_trace(test::to_chrome_trace(trace)).value(), trace);
}

TEST(Trace, ComesBackWithAnEmptyPass) {
    const Trace trace = {"program", "device", "model", {TracedPass{}, toy_pass()}};
    EXPECT_EQ(from_chrome_trace(test::to_chrome_trace(trace)).value(), trace);
}

// What is finer than a nanosecond is rounded once: the text stays what it is.
TEST(Trace, KeepsNanoseconds) {
    Trace trace = {"program", "device", "model", {toy_pass()}};
    trace.passes[0].begin = 1.0 / 3;
    trace.passes[0].timeline.intervals[1].end = 0.0023456781;
    const std::string text = test::to_chrome_trace(trace);
    const Trace back = from_chrome_trace(text).value();
    EXPECT_EQ(back.passes[0].begin, 0.333333333);
    EXPECT_EQ(back.passes[0].timeline.intervals[1].end, 0.002345678);
    EXPECT_EQ(test::to_chrome_trace(back), text);
}

TEST(Trace, ReplacesBytesThatAreNoUtf8) {
    const Trace back = from_chrome_trace(test::to_chrome_trace({"a\xff", "", "", {}})).value();
    EXPECT_EQ(back.program, "a\xef\xbf\xbd");
}

// Chrome's viewers want microseconds, a thread for each lane, and its name.
TEST(Trace, IsChromesForm) {
    const nlohmann::json events = parsed(test::to_chrome_trace(toy_trace()));
    EXPECT_EQ(events[0]["name"], "process_name");
    EXPECT_EQ(events[0]["args"]["name"], "libggml-pshard 0.1.0");
    const auto named = [&](std::string_view name) {
        return *std::find_if(events.begin(), events.end(), [&](const nlohmann::json& event) {
            return event["name"] == name || event["args"].value("name", "") == name;
        });
    };
    EXPECT_EQ(named("upload")["tid"], named("layer 0")["tid"]);
    EXPECT_NE(named("GPU")["tid"], named("upload")["tid"]);
    EXPECT_EQ(named("GPU")["ph"], "M");
    const nlohmann::json load = named("layer 0");
    EXPECT_EQ(load["ph"], "X");
    EXPECT_EQ(load["cat"], "load");
    EXPECT_EQ(load["ts"], 1250000.0);  // 1.5 s - 0.25 s
    EXPECT_EQ(load["dur"], 251000.0);
    EXPECT_EQ(load["args"]["bytes"], 96);
    const nlohmann::json compute = named("layer 0 FFN {");
    EXPECT_EQ(compute["args"]["waits"].dump(), "[[1,0,false],[2,7,true]]");
    const nlohmann::json pass = named("3 tokens");
    EXPECT_EQ(pass["ts"], 1500000.0);
    EXPECT_EQ(pass["dur"], 3999.999);
    EXPECT_EQ(pass["args"]["tier"], 4);
}

TEST(Trace, IsTheSumOfItsParts) {
    const Trace trace = toy_trace();
    std::string parts = trace_begin(trace);
    EXPECT_EQ(from_chrome_trace(parts).value().device, trace.device);
    parts += trace_pass(trace.passes[0], 0) + trace_pass(trace.passes[1], 1);
    EXPECT_EQ(from_chrome_trace(parts).value(), trace);
}

// Cut at every byte: the passes that are whole are there, no more, and nothing is refused.
TEST(Trace, LosesOnlyWhatWasCutOff) {
    const Trace trace = toy_trace();
    const std::string begin = trace_begin(trace);
    const std::string whole =
        begin + trace_pass(trace.passes[0], 0) + trace_pass(trace.passes[1], 1);
    const std::size_t first_end = begin.size() + trace_pass(trace.passes[0], 0).size() - 2;
    for (std::size_t n = begin.find('\n', 2); n <= whole.size(); ++n) {
        const auto back = from_chrome_trace(whole.substr(0, n));
        ASSERT_TRUE(back.ok()) << n << back.error().text();
        const std::size_t passes = n >= whole.size() - 2 ? 2 : n >= first_end ? 1 : 0;
        ASSERT_EQ(back.value().passes.size(), passes) << n;
        const bool between_passes = passes == 2 || (n >= first_end && n <= first_end + 2);
        if (n > begin.size()) {
            ASSERT_EQ(back.value().cut_off, !between_passes) << n;
        }
    }
}

TEST(Trace, IsReadPieceByPiece) {
    const std::string text = test::to_chrome_trace(toy_trace());
    for (const std::size_t size : {std::size_t{1}, std::size_t{7}, text.size()}) {
        std::size_t at = 0;
        const auto pieces = [&](std::string& to, std::size_t) -> Result<bool> {
            to += text.substr(at, size);
            const bool more = at < text.size();
            at = std::min(at + size, text.size());
            return more;
        };
        EXPECT_EQ(test::value_of(read_chrome_trace(pieces, text.size())),
                  test::value_of(from_chrome_trace(text)));
    }
}

TEST(Trace, PassesOnWhatAPieceCouldNotBe) {
    int n = 0;
    const auto pieces = [&n](std::string& to, std::size_t) -> Result<bool> {
        if (++n > 1) return Error{"the disk is gone", {"t"}};
        to = "[\n";
        return true;
    };
    EXPECT_EQ(read_chrome_trace(pieces, 100).error().text(), "t: the disk is gone");
}

// An event takes many times the memory of its text.
TEST(Trace, RefusesEventsThatAreTooLongOrDeep) {
    const auto fault = [](const std::string& text) {
        return from_chrome_trace(text).error().text();
    };
    EXPECT_THAT(fault("[{\"a\":\"" + std::string(5 << 20, ' ')),
                HasSubstr("trace:1:2: this event is longer than 4 MiB"));
    EXPECT_THAT(fault("[{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}]"),
                HasSubstr("more than 64 lists in one another"));
}

TEST(Trace, PassesOverEventsOfOthers) {
    std::string text = test::to_chrome_trace(toy_trace());
    text = replaced(text, "\n]", ",\n{\"ph\":\"C\",\"name\":\"x\"},{\"ph\":\"X\",\"cat\":7}\n]");
    EXPECT_EQ(from_chrome_trace(text).value(), toy_trace());
}

TEST(Trace, RefusesWhatIsNoTrace) {
    EXPECT_EQ(from_chrome_trace("", "t.json").error().text(),
              "t.json:1:1: is no trace: an array of events begins with '['");
    EXPECT_EQ(from_chrome_trace("[", "t.json").error().text(), "t.json: holds no event");
    EXPECT_EQ(from_chrome_trace("\n{}", "t.json").error().place, (Place{"t.json", 2, 1}));
    EXPECT_EQ(from_chrome_trace("[1]", "t.json").error().text(),
              "t.json:1:2: expected an event, which begins with '{'");
    EXPECT_THAT(from_chrome_trace("[{}]", "t.json").error().text(),
                HasSubstr("needs 'ph', a text"));
    EXPECT_THAT(from_chrome_trace(R"([{"ph":"M","args":{"format":"x"}}])").error().message,
                HasSubstr("is not the first of a pshard trace"));
}

TEST(Trace, NamesThePlaceOfAFault) {
    EXPECT_EQ(fault_of("\"ts\":1250000.0", "\"ts\":12 0"), "t.json:14:49: is no valid JSON");
    EXPECT_EQ(fault_of("\"stage\":0", "\"stage\":-1"),
              "t.json:15:1: this event needs 'stage', a whole number from 0 to 9999999");
}

TEST(Trace, RefusesFieldsThatAreNotThereOrWrong) {
    EXPECT_THAT(fault_of("\"version\":1", "\"version\":2"),
                HasSubstr("needs 'version', a whole number from 1 to 1"));
    EXPECT_THAT(fault_of("\"tier\":4", "\"tear\":4"), HasSubstr("needs 'tier', a whole number"));
    EXPECT_THAT(fault_of("\"weights\":", "\"wheats\":"), HasSubstr("needs 'weights', a text"));
    EXPECT_THAT(fault_of("\"ts\":1500000.0", "\"ts\":1e300"), HasSubstr("needs 'ts', a time"));
    EXPECT_THAT(fault_of("\"dur\":251000.0", "\"dur\":-1"), HasSubstr("needs 'dur', a time"));
    EXPECT_THAT(fault_of("\"dur\":251000.0", "\"dur\":9e551"),
                HasSubstr("a number that is too large"));
    EXPECT_THAT(fault_of("\"tid\":2,\"args\":{\"pass\"", "\"tid\":5,\"args\":{\"pass\""),
                HasSubstr("needs 'tid', a whole number from 1 to 4"));
    EXPECT_THAT(fault_of("[1,0,false]", "[1,0]"), HasSubstr("needs 'waits' of the form"));
    EXPECT_THAT(fault_of("[1,0,false]", "[10,0,false]"), HasSubstr("needs 'waits' of the form"));
    EXPECT_THAT(fault_of("\"cat\":\"wait\"", "\"cat\":\"weight\""), HasSubstr("needs 'cat' to be"));
    EXPECT_THAT(fault_of("\"of_last_pass\":true", "\"of_last_pass\":1"),
                HasSubstr("needs 'of_last_pass', true or false"));
    EXPECT_THAT(fault_of("\"args\":{\"pass\":0,\"tokens\"", "\"args\":[],\"x\":{\"tokens\""),
                HasSubstr("needs 'args', an object"));
}

TEST(Trace, RefusesPassesThatAreNotWhole) {
    EXPECT_THAT(fault_of("\"events\":4", "\"events\":5"),
                HasSubstr("comes too early: pass 0 lacks the last 1 of its events"));
    EXPECT_THAT(fault_of("\"events\":4", "\"events\":3"), HasSubstr("is one more than"));
    EXPECT_THAT(fault_of("\"steps\":10", "\"steps\":11"), HasSubstr("pass 0 lacks step 10"));
    EXPECT_THAT(fault_of("\"steps\":10", "\"steps\":9999999"),
                HasSubstr("needs 'steps', a whole number from 0 to "));
    EXPECT_THAT(fault_of("\"steps\":10", "\"steps\":9"),
                HasSubstr("needs 'step', a whole number from 0 to 8"));
    EXPECT_THAT(fault_of("\"args\":{\"pass\":1,\"step\"", "\"args\":{\"pass\":0,\"step\""),
                HasSubstr("needs 'pass' to be 1"));
    EXPECT_THAT(fault_of("\"step\":3", "\"step\":0"), HasSubstr("step 0 is there twice"));
    const std::string text = test::to_chrome_trace(toy_trace());
    const std::size_t last = text.rfind(",\n{");
    EXPECT_THAT(from_chrome_trace(text.substr(0, last) + "\n]").error().text(),
                HasSubstr("pass 1 lacks the last 1 of its events"));
    const std::string orphan =
        text.substr(0, text.find(",\n{\"name\":\"3 tokens")) + text.substr(last);
    EXPECT_THAT(from_chrome_trace(orphan).error().text(), HasSubstr("belongs to no pass"));
}

TEST(Trace, RefusesAStepOfAPassThatHasNone) {
    TracedPass pass;
    pass.schedule = {{{ScheduleLane::Gpu, Compute{0}}}};
    pass.names = {"head"};
    pass.bytes = {0};
    pass.timeline = {{{0, 0, 1}}, 1};
    const std::string text = test::to_chrome_trace({"program", "", "", {pass}});
    EXPECT_TRUE(from_chrome_trace(text).ok());
    EXPECT_THAT(from_chrome_trace(replaced(text, "\"steps\":1", "\"steps\":0")).error().message,
                HasSubstr("belongs to a pass without steps"));
}

// A Wait takes six times the memory of its text, so that there is an end to how many stand behind
// each other; a thousand are no matter.
TEST(Trace, RefusesPassesOfWaitsAlone) {
    const auto waits = [](std::size_t n) {
        TracedPass pass;
        pass.schedule.steps.assign(n, {ScheduleLane::Gpu, Wait{-1, false}});
        pass.schedule.steps.push_back({ScheduleLane::Gpu, Compute{0}});
        pass.names.resize(n + 1);
        pass.bytes.resize(n + 1);
        pass.timeline = {{{static_cast<int>(n), 0, 1}}, 1};
        return pass;
    };
    const auto read = [](std::vector<TracedPass> passes) {
        return from_chrome_trace(test::to_chrome_trace({"program", "", "", std::move(passes)}));
    };
    EXPECT_TRUE(read({waits(1000)}).ok());
    EXPECT_THAT(read({waits(9000)}).error().message,
                HasSubstr("needs 'steps', a whole number from 0 to "));
    EXPECT_FALSE(read({waits(4000), waits(4000), waits(4000)}).ok());  // each alone is fine
    EXPECT_TRUE(read({waits(3000)}).ok());
}

TEST(Trace, RefusesAnArrayThatIsDamagedInTheMiddle) {
    EXPECT_THAT(fault_of("\"pid\":1,", "\"pid:1,"), HasSubstr("t.json:2:"));
    EXPECT_THAT(fault_of("},\n{\"name\":\"layer 0 FFN", "}\n{\"name\":\"layer 0 FFN"),
                HasSubstr("t.json:15:1: expected ',' or ']'"));
    EXPECT_THAT(fault_of("\n]\n", "\n] more"), HasSubstr("nothing behind ']'"));
}

// docs/formats/trace.md holds what the code does.
TEST(TraceDocument, ItsExampleIsATrace) {
    std::ifstream file(std::string(PSHARD_SOURCE_DIR) + "/docs/formats/trace.md");
    std::ostringstream all;
    all << file.rdbuf();
    const std::string text = all.str();
    const std::size_t begin = text.find("```json\n", text.find("\n## Example\n")) + 8;
    const std::string example = text.substr(begin, text.find("```", begin) - begin);
    const auto trace = test::value_of(from_chrome_trace(example, "trace.md"));
    EXPECT_EQ(trace.passes.at(0).timeline.intervals.size(), 3U);
    EXPECT_EQ(test::to_chrome_trace(trace), example);
}

}  // namespace
}  // namespace pshard
