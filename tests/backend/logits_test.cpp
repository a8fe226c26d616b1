// What PSHARD0 computes is what stock llama.cpp computes, in a few hundred short runs. The whole
// grid is in grid_slow_test.cpp.
#include "backend/harness/expect.h"
#include "build_paths.h"
#include "support/testing.h"

namespace pshard::backend_test {
namespace {

struct DeviceAndRow {
    std::string device;
    std::string row;

    friend void PrintTo(const DeviceAndRow& value, std::ostream* out) {
        *out << value.device << " " << value.row;
    }
};

class RowOnDevice : public OnDevice, public testing::WithParamInterface<DeviceAndRow> {
protected:
    RowOnDevice() : OnDevice(GetParam().device) {}
};

std::vector<DeviceAndRow> on_both_devices(const std::vector<std::string>& rows) {
    std::vector<DeviceAndRow> all;
    for (const char* device : {"cpu", "simgpu"}) {
        for (const std::string& row : rows) all.push_back({device, row});
    }
    return all;
}

using ModelOn = RowOnDevice;

TEST_P(ModelOn, EveryPlanIsAsStock) {
    for (const PlanRow& plan : all_plans()) {
        expect_as_stock(grid, device, model_row(GetParam().row), scenario_row("decode"), plan);
    }
}

INSTANTIATE_TEST_SUITE_P(Backend,
                         ModelOn,
                         ValuesIn(on_both_devices({"llama-Q8_0",
                                                   "gemma3-Q8_0",
                                                   "qwen3moe-Q8_0",
                                                   "gpt-oss-Q8_0",
                                                   "qwen3next-Q8_0",
                                                   "qwen35moe-Q8_0",
                                                   "deepseek2-Q8_0",
                                                   "mistral4-Q8_0",
                                                   "llama-Q4_0",
                                                   "qwen3moe-Q8_0-in-3"})),
                         test::NamedByParameter());

using PlanOn = RowOnDevice;

TEST_P(PlanOn, EveryScenarioIsAsStock) {
    for (const ScenarioRow& scenario : all_scenarios()) {
        expect_as_stock(grid, device, model_row("llama-Q8_0"), scenario, plan_row(GetParam().row));
    }
}

INSTANTIATE_TEST_SUITE_P(Backend,
                         PlanOn,
                         ValuesIn(on_both_devices({"stream-all", "rotate"})),
                         test::NamedByParameter());

// On lavapipe a run takes seconds: one model, one short run.
using VulkanPlan = RowOnDevice;

TEST_P(VulkanPlan, IsAsStock) {
    expect_as_stock(
        grid, device, model_row("llama-Q8_0"), scenario_row("np4"), plan_row(GetParam().row));
}

INSTANTIATE_TEST_SUITE_P(Backend,
                         VulkanPlan,
                         Values(DeviceAndRow{"vulkan", "resident"},
                                DeviceAndRow{"vulkan", "stream-all"},
                                DeviceAndRow{"vulkan", "rotate"},
                                DeviceAndRow{"vulkan-fused", "stream-all"}),
                         test::NamedByParameter());

// A model whose weights lie in several files, and so in several buffers.
using SplitOn = RowOnDevice;

TEST_P(SplitOn, EveryScenarioIsAsStock) {
    for (const char* scenario : {"two-contexts",
                                 "two-models",
                                 "eval-callback",
                                 "kshift",
                                 "lora",
                                 "no-mmap",
                                 "no-mmap-two-models",
                                 "ngl-2",
                                 "ot-cpu",
                                 "ot-cpu-attn"}) {
        expect_as_stock(grid,
                        device,
                        model_row("llama-Q8_0-in-5"),
                        scenario_row(scenario),
                        plan_row(GetParam().row));
    }
}

INSTANTIATE_TEST_SUITE_P(Backend,
                         SplitOn,
                         ValuesIn(on_both_devices({"stream-all", "attn-1", "rotate"})),
                         test::NamedByParameter());

// A run whose log is looked at.
ChildProgram logits_of(const char* model, const char* scenario, const std::string& device) {
    const InnerDevice inner = inner_device(device);
    ChildProgram program;
    program.command = {PSHARD_LOGITS_RUN, "--device", "PSHARD0"};
    program.with({"--model", Grid(inner).model_file(model_row(model))});
    const std::vector<std::string>& flags = scenario_row(scenario).flags;
    program.with(flags);
    program.environment = pshard_environment(inner, plan_row("resident"));
    return program;
}

// The CPU has the attention, so that each graph of PSHARD0 is one FFN, of one file or two: were
// they models of their own, the first one's plan would take the budget.
TEST(SplitModel, IsOneModelWhereNoGraphReadsAllOfIt) {
    PSHARD_NEEDS_PLUGIN();
    ChildProgram program = logits_of("llama-Q8_0-in-5", "ot-cpu-attn", "cpu");
    program.environment["PSHARD_MAX_VRAM_ALLOC"] = "3";
    const ChildResult result = run(program);
    ASSERT_TRUE(result.ok()) << result.text();
    const std::string plan = "plan up to 32 tokens: ";
    const std::size_t first = result.err.find(plan);
    EXPECT_EQ(first, result.err.rfind(plan)) << result.text();
    EXPECT_EQ(result.err.find(plan + "GPUONLY_LAYERPIN_LAYERSTREAM with 4 layers pinned"), first);
}

// Graphs in pieces, of a model whose weights the CPU would repack: a piece that did not fit into
// its slots would be computed there, and show.
using Pieces = OnSimgpu;

TEST_F(Pieces, StreamAsTheWholeGraphDoes) {
    for (const char* scenario : {"nkvo", "ot-cpu-attn"}) {
        for (const char* plan : {"stream-all", "slices"}) {
            const ModelRow& model = model_row("qwen3moe-Q4_K_M");
            expect_as_stock(grid, device, model, scenario_row(scenario), plan_row(plan));
        }
    }
}

// Node by node, with parts on the CPU: said, and once, however many nodes it is true of.
TEST_F(Pieces, ThatLookIntoAStateOfTheOtherSideAreTold) {
    ChildProgram program = logits_of("granitehybrid-Q8_0", "eval-callback", "simgpu");
    program.environment["PSHARD_STRATEGY"] = "3:1";
    const ChildResult result = run(program);
    ASSERT_TRUE(result.ok()) << result.text();
    const std::string words = "computed with the states in host memory";
    EXPECT_NE(result.err.find(words), std::string::npos) << result.text();
    EXPECT_EQ(result.err.find(words), result.err.rfind(words));
}

// The tests above mean nothing if a plan that streams does not stream.
using NegativeControl = RowOnDevice;

TEST_P(NegativeControl, WithoutUploadsAStreamedRunDiffers) {
    PlanRow plan = plan_row(GetParam().row);
    plan.environment["PSHARD_CHAOS"] = "no-upload";
    for (const char* model : {"llama-Q8_0", "qwen3moe-Q8_0", "nemotron_h-Q8_0"}) {
        const CellResult cell = grid.run(model_row(model), scenario_row("brief"), plan);
        EXPECT_EQ(cell.outcome, Outcome::Different) << model << ": " << cell.text;
    }
}

INSTANTIATE_TEST_SUITE_P(Backend,
                         NegativeControl,
                         ValuesIn(on_both_devices({"stream-all", "layers-1", "attn-1"})),
                         test::NamedByParameter());

// The rows "abort" of the grid mean nothing if no graph is aborted. Here all batches are, as a plan
// that streams asks before each layer: of stock, only the CPU asks.
using AbortOn = RowOnDevice;

TEST_P(AbortOn, StopsWithinAGraph) {
    const auto said_by = [&](const std::string& scenario) {
        ChildProgram program;
        program.command = {PSHARD_LOGITS_RUN, "--model", grid.model_file(model_row("llama-Q8_0"))};
        program.with({"--scenario", scenario, "--device", "PSHARD0"});
        program.environment = pshard_environment(device, plan_row(GetParam().row));
        const ChildResult result = run(program);
        EXPECT_TRUE(result.ok()) << result.text();
        return result.out + result.err;
    };
    EXPECT_THAT(said_by("abort"), HasSubstr("16 of 16 batches were aborted"));
    EXPECT_THAT(said_by("abort-kshift"), HasSubstr("failed to compute K-shift"));
}

INSTANTIATE_TEST_SUITE_P(Backend,
                         AbortOn,
                         ValuesIn(on_both_devices({"stream-all", "ffn-cpu-1"})),
                         test::NamedByParameter());

// simgpu sees that a slot is read while it is written, even where the values come out right.
using FenceControl = OnSimgpu;

TEST_F(FenceControl, WithoutFencesSimgpuSeesARace) {
    PlanRow plan = plan_row("stream-all");
    plan.environment["PSHARD_CHAOS"] = "no-fence";
    const CellResult cell = grid.run(model_row("llama-Q8_0"), scenario_row("decode"), plan);
    EXPECT_FALSE(cell.good) << cell.text;
}

}  // namespace
}  // namespace pshard::backend_test
