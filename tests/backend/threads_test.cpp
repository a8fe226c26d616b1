// What the runtime's threads do to each other: random plan switches, budgets and batches, ten
// thousand of which are in grid_slow_test.cpp, and a link that lets uploads fall behind. A
// program of its own, as the tsan preset runs no other test of this folder.
#include "backend/harness/wander.h"
#include "support/testing.h"

namespace pshard::backend_test {
namespace {

TEST_P(Wander, IsAsStock) { expect_as_stock({1, 2}, 20); }

INSTANTIATE_TEST_SUITE_P(Few, Wander, ValuesIn(wander_models()), test::NamedByParameter());

// A program of llama.cpp's with a context in each of its threads.
using Threads = OnSimgpu;

TEST_F(Threads, OfTheHostTakeTurns) {
    for (const Suite& suite : quick_suites()) {
        if (suite.name == "thread-safety") expect_suite_passes(suite, device, plan_row("rotate"));
    }
}

struct Cell {
    std::string model;
    std::string scenario;
    std::string plan;

    friend void PrintTo(const Cell& cell, std::ostream* out) {
        *out << cell.model << " " << cell.scenario << " " << cell.plan;
    }
};

// Passes of one model or graph begin while uploads that were issued ahead for another still run.
// Once more without page locks, so that all copies take turns in the staging buffers, and with a
// trace: four more threads look at the marks. And with some, or all, of what is uploaded moved to
// memory of the driver's, which locks nothing in place.
class SlowLink : public OnSimgpu, public testing::WithParamInterface<Cell> {};

TEST_P(SlowLink, IsAsStock) {
    device.inner["SIMGPU_H2D_GBPS"] = "0.2";
    PlanRow plan = plan_row(GetParam().plan);
    grid = Grid(device);
    const ModelRow& model = model_row(GetParam().model);
    const ScenarioRow& scenario = scenario_row(GetParam().scenario);
    expect_as_stock(grid, device, model, scenario, plan);
    plan.environment["PSHARD_PAGE_LOCKS"] = "off";
    plan.environment["PSHARD_TRACE"] = "/dev/null";
    expect_as_stock(grid, device, model, scenario, plan);
    plan.environment["SIMGPU_LOCKABLE_MIB"] = "0";
    for (const char* some_and_all : {"1", "1000"}) {
        plan.environment["PSHARD_PAGE_LOCKS"] = some_and_all;
        expect_as_stock(grid, device, model, scenario, plan);
    }
}

INSTANTIATE_TEST_SUITE_P(Few,
                         SlowLink,
                         Values(Cell{"llama-Q8_0", "two-models", "stream-all"},
                                Cell{"llama-Q8_0", "kshift", "stream-all"},
                                Cell{"llama-Q8_0", "np4", "layers-1"},
                                Cell{"qwen3moe-Q8_0", "state-seq", "slices"},
                                Cell{"qwen3next-Q8_0", "brief", "ffn-cpu-1"}),
                         test::NamedByParameter());

}  // namespace
}  // namespace pshard::backend_test
