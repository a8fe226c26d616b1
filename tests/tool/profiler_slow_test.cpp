// The profilers on lavapipe, which compiles its kernels for seconds.
#include <nlohmann/json.hpp>

#include "support/testing.h"
#include "tool/run_profiler.h"

namespace pshard::profiler_test {
namespace {

TEST_F(ProfilerTest, MeasuresTheLinkToAGpu) {
    PSHARD_NEEDS_GPU();
    give_gpu();
    MachineProfile read;
    for (const int seconds : {20, 60, 180}) {  // as a machine with other work needs
        const Ran ran =
            run_on_lavapipe(kCpu, fmt::format("--threads 1 --batch 1 --time-limit {}", seconds));
        ASSERT_EQ(ran.exit_code, 0) << ran.err;
        read = profile();
        if (read.link.concurrent_measured) break;
    }
    EXPECT_GT(read.link.standalone_gb_per_s.value_or(0), 0);
    EXPECT_GT(read.link.d2h_gb_per_s.value_or(0), 0);
    EXPECT_TRUE(read.link.concurrent_measured);
    EXPECT_GT(read.link.concurrent_gb_per_s.value_or(0), 0);
    EXPECT_THAT(read.link.copies, Not(IsEmpty()));
    EXPECT_THAT(read.gpu_name, HasSubstr("llvmpipe"));
}

TEST_F(ProfilerTest, MeasuresAGpu) {
    PSHARD_NEEDS_GPU();
    give_gpu();
    const Ran ran = run_on_lavapipe(kGpu, "--batch 1 --time-limit 12 -o json");
    ASSERT_EQ(ran.exit_code, 0) << ran.err;
    EXPECT_EQ(files(), std::set<std::string>{"gpu_profile.txt"});
    const MachineProfile read = profile();
    ASSERT_TRUE(read.gpu.has_value());
    EXPECT_EQ(read.gpu->backend, "Vulkan0");
    EXPECT_TRUE(read.gpu->launch_us.has_value());
    EXPECT_GT(read.gpu->memory_mib.value_or(0), 0);
    EXPECT_THAT(read.gpu->rows, Not(IsEmpty()));
    const auto report = nlohmann::json::parse(ran.out);
    EXPECT_EQ(report["output"], "gpu_profile.txt");
    EXPECT_EQ(report["rows"].size(), read.gpu->rows.size());
    // lavapipe says the same whatever is allocated: unknown, and said so, but not 0.
    EXPECT_FALSE(read.gpu->overhead_mib.has_value());
    EXPECT_THAT(ran.out, HasSubstr("does not tell what memory is in use"));
}

// What a profiler asks of the copy of itself that shows memory and launches.
TEST_F(ProfilerTest, AnswersAsAHelper) {
    PSHARD_NEEDS_GPU();
    give_gpu();
    std::ofstream(folder_ / "in") << "launch Vulkan0\nlaunch CUDA7\nrun Vulkan0 1\n";
    const Ran ran = run_on_lavapipe(kGpu, fmt::format("--helper <'{}'", (folder_ / "in").string()));
    EXPECT_EQ(ran.exit_code, 0) << ran.err;
    EXPECT_THAT(ran.out,
                MatchesRegex("ok [0-9.e-]+ [0-9.e-]+\n"
                             "error ggml has no GPU 'CUDA7'[^\n]*\n"
                             "ok -?[0-9]+\n"));
}

}  // namespace
}  // namespace pshard::profiler_test
