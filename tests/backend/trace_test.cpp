// PSHARD_TRACE: what a run writes is a Timeline of its Schedule, and shows that uploads run ahead.
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "backend/harness/expect.h"
#include "base/fingerprint.h"
#include "base/temp_folder.h"
#include "support/testing.h"
#include "trace/trace.h"

namespace pshard::backend_test {
namespace {

namespace fs = std::filesystem;

// Its GPU and its link are slow, so that what overlaps does so by milliseconds.
InnerDevice slow_simgpu() {
    InnerDevice device = inner_device("simgpu");
    device.inner["SIMGPU_LAUNCH_US"] = "300";
    device.inner["SIMGPU_H2D_GBPS"] = "0.5";
    return device;
}

// The trace of a short run in which every layer is streamed.
Trace traced_run() {
    const fs::path path = fs::path(testing::TempDir()) / fmt::format("trace.{}.json", getpid());
    const InnerDevice device = slow_simgpu();
    Grid grid(device);
    PlanRow plan = plan_row("stream-all");
    plan.environment["PSHARD_TRACE"] = path;
    expect_as_stock(grid, device, model_row("llama-Q8_0"), scenario_row("brief"), plan);
    const Result<Trace> trace = from_chrome_trace(test::text_in(path), path);
    fs::remove(path);
    EXPECT_TRUE(trace.ok()) << trace.error().text();
    return trace ? trace.value() : Trace{};
}

Seconds begin_of(const TracedPass& pass, int step) {
    for (const Interval& interval : pass.timeline.intervals) {
        if (interval.step == step) return interval.begin;
    }
    return -1;
}

Seconds end_of(const TracedPass& pass, int step) {
    for (const Interval& interval : pass.timeline.intervals) {
        if (interval.step == step) return interval.end;
    }
    return -1;
}

// The pass's own waits.
void expect_in_order(const TracedPass& pass) {
    constexpr Seconds kTick = 2e-9;  // times are written in nanoseconds
    std::vector<std::vector<int>> waits_of(kScheduleLanes);
    for (std::size_t i = 0; i < pass.schedule.steps.size(); ++i) {
        const Step& step = pass.schedule.steps[i];
        std::vector<int>& waited = waits_of.at(step.lane.index());
        const auto* wait = std::get_if<Wait>(&step.what);
        if (wait != nullptr && !wait->of_last_pass) waited.push_back(wait->step);
        if (wait != nullptr) continue;
        ASSERT_GE(begin_of(pass, int(i)), 0) << "step " << i << " was not seen";
        for (const int earlier : waited) {
            EXPECT_GE(begin_of(pass, int(i)) + kTick, end_of(pass, earlier));
        }
    }
}

class TraceOfARun : public testing::Test {
protected:
    void SetUp() override {
        PSHARD_NEEDS_PLUGIN();
        PSHARD_NEEDS_DEVICE(slow_simgpu());
    }
};

TEST_F(TraceOfARun, KeepsTheOrderOfTheSchedule) {
    const Trace trace = traced_run();
    ASSERT_GE(trace.passes.size(), 3U);
    for (const TracedPass& pass : trace.passes) {
        EXPECT_GE(pass.tier.n_tokens, pass.n_tokens);
        EXPECT_THAT(pass.plan, HasSubstr("LAYERSTREAM"));
        EXPECT_EQ(pass.weights, trace.passes.front().weights);
        EXPECT_TRUE(pshard::hash_of(pass.weights)) << pass.weights;
        expect_in_order(pass);
    }
}

TEST_F(TraceOfARun, ShowsUploadsThatBeginBeforeThePassBeforeEnds) {
    const Trace trace = traced_run();
    int n_ahead = 0;
    for (std::size_t i = 1; i < trace.passes.size(); ++i) {
        const TracedPass& before = trace.passes[i - 1];
        const TracedPass& pass = trace.passes[i];
        if (!(pass.schedule == before.schedule)) continue;
        n_ahead += pass.begin < before.begin + before.timeline.end ? 1 : 0;
    }
    EXPECT_GT(n_ahead, 0);
}

CellResult run_that_traces_to(const fs::path& path) {
    Grid grid(inner_device("cpu"));
    PlanRow plan = plan_row("stream-all");
    plan.environment["PSHARD_TRACE"] = path;
    return grid.run(model_row("llama-Q8_0"), scenario_row("brief"), plan);
}

TEST_F(TraceOfARun, ThatCannotBeWrittenIsRefused) {
    const CellResult cell = run_that_traces_to("/no/such/folder/trace.json");
    EXPECT_FALSE(cell.good);
    EXPECT_THAT(cell.text,
                HasSubstr("PSHARD_TRACE: /no/such/folder/trace.json cannot be "
                          "written"));
}

TEST_F(TraceOfARun, NeverReplacesAnotherFile) {
    const fs::path path = fs::path(testing::TempDir()) / fmt::format("model.{}.gguf", getpid());
    std::ofstream(path) << "GGUF: weights of a lifetime";
    const CellResult cell = run_that_traces_to(path);
    EXPECT_FALSE(cell.good);
    EXPECT_THAT(cell.text, HasSubstr("is there and is no trace"));
    EXPECT_EQ(test::text_in(path), "GGUF: weights of a lifetime");
    fs::remove(path);
}

// Another run that still writes holds the lock.
TEST_F(TraceOfARun, NeverMixesWithAnotherRuns) {
    const fs::path path = fs::path(testing::TempDir()) / fmt::format("busy.{}.json", getpid());
    const int other = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    ASSERT_GE(other, 0);
    ASSERT_EQ(::flock(other, LOCK_EX), 0);
    const CellResult cell = run_that_traces_to(path);
    EXPECT_FALSE(cell.good);
    EXPECT_THAT(cell.text, HasSubstr("is being written by another run"));
    ::close(other);
    fs::remove(path);
}

// Attention over such a cache is llama.cpp's own, and cuts the graph. The last piece computes the
// rows of logits alone, by the plan of the others: or each ubatch would end with a plan switch, and
// the next begin with one.
TEST(TracedPieces, StayInTheTierOfTheirGraph) {
    PSHARD_NEEDS_PLUGIN();
    const test::TempFolder folder;
    const InnerDevice device = inner_device("simgpu");
    Grid grid(device);
    std::string prompt;
    for (int i = 0; i < 20; ++i) prompt += "hello the world ";
    ChildProgram program = completion(grid.model_file(model_row("llama-Q8_0")), 2);
    program.with({"-fit", "off", "-c", "1024", "-b", "64", "-ub", "16", "-p", prompt})
        .with({"-fa", "on", "-ctk", "iq4_nl"});
    program.environment.merge(pshard_environment(device, plan_row("resident")));
    program.environment["PSHARD_TRACE"] = folder.file("trace");
    const ChildResult result = run(program);
    ASSERT_TRUE(result.ok()) << result.text();
    const Result<Trace> trace = from_chrome_trace(test::text_in(folder.file("trace")), "trace");
    ASSERT_TRUE(trace.ok());
    int n_large = 0;
    int n_changes = 0;
    std::uint32_t last = 0;
    for (const TracedPass& pass : trace.value().passes) {
        n_large += pass.n_tokens == 16 ? 1 : 0;
        n_changes += pass.tier.n_tokens != last ? 1 : 0;
        last = pass.tier.n_tokens;
    }
    EXPECT_GE(n_large, 8 * 4) << "ubatches of four layers and more";
    EXPECT_LE(n_changes, 6);
}

}  // namespace
}  // namespace pshard::backend_test
