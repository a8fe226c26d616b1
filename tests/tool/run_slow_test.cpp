// llama-pshard-run on a machine that was never measured, with a GPU that computes on the CPU.
#include "build_paths.h"
#include "support/test_gpu.h"
#include "support/testing.h"
#include "tool/run_launcher.h"

namespace pshard::test {
namespace {

class RunMeasures : public LauncherTest {
protected:
    void SetUp() override {
        LauncherTest::SetUp();
        environment_.erase("PSHARD_DEVICE");
        for (const auto& [name, value] : testing_support::gpu_environment())
            environment_[name] = value;
    }

    // Lavapipe crashes at times (docs/cli/llama-profiler-gpu.md): twice again.
    ToolRun run_again(const std::vector<std::string>& arguments) const {
        ToolRun tool = run(arguments);
        for (int i = 0; i < 2 && tool.exit_code == 1; ++i) tool = run(arguments);
        return tool;
    }
};

TEST_F(RunMeasures, TheMachineOnce) {
    PSHARD_NEEDS_GPU();
    const std::vector<std::string> arguments =
        with(planning({"--time-limit", "3"}), {stand_in("llama-completion")});
    const ToolRun first = run_again(arguments);
    ASSERT_EQ(first.exit_code, 7) << first.err;
    EXPECT_THAT(first.err, HasSubstr("measuring the CPU, once"));
    EXPECT_THAT(first.err, HasSubstr("llama-profiler-cpu: ["));  // its progress
    EXPECT_THAT(first.err, HasSubstr("s by the best that stock llama.cpp can do alone"));
    const std::filesystem::path cache = folder_ / ".cache" / "pshard";
    const std::string cpu = text_in(cache / "cpu_profile.txt");
    const std::string gpu = text_in(cache / "gpu_profile.txt");
    EXPECT_THAT(gpu, HasSubstr("backend=Vulkan0"));
    const ToolRun second = run(arguments);
    EXPECT_EQ(second.exit_code, 7) << second.err;
    EXPECT_THAT(second.err, Not(HasSubstr("measuring")));
    EXPECT_EQ(text_in(cache / "cpu_profile.txt"), cpu);
    EXPECT_EQ(text_in(cache / "gpu_profile.txt"), gpu);
    if (first.out.find("PSHARD0") == std::string::npos) return;  // stock was as good
    EXPECT_THAT(second.err, HasSubstr("plan of " + registry().string()));
    EXPECT_THAT(second.out, HasSubstr("PSHARD_DEVICE=" PSHARD_VULKAN_BACKEND "\n"));
}

}  // namespace
}  // namespace pshard::test
