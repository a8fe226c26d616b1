// What the host's log has of rates, and what is told of a device's memory: how much its driver
// takes besides the arena (when and how much: tests/runtime/memory_watch_test.cpp), and how much
// host memory it has page-locked (the same runs without locks: threads_test.cpp).
#include <fstream>

#include "backend/harness/expect.h"
#include "base/temp_folder.h"
#include "build_paths.h"
#include "support/testing.h"

namespace pshard::backend_test {
namespace {

class MemoryLines : public OnSimgpu {
protected:
    // What a prompt and some tokens on simgpu have logged.
    std::string log_of(int n_tokens, const PlanRow& plan) {
        ChildProgram program = completion(grid.model_file(model_row("llama-Q8_0")), n_tokens);
        program.with({"-fit", "off", "-c", "2048"});
        program.environment.merge(pshard_environment(device, plan));
        const ChildResult result = run(program);
        EXPECT_TRUE(result.ok()) << result.text();
        return result.err;
    }
};

TEST_F(MemoryLines, TellOfPagesThatTheDeviceDoesNotLock) {
    PlanRow plan = plan_row("stream-all");
    plan.environment["PSHARD_PAGE_LOCKS"] = "off";
    EXPECT_THAT(log_of(2, plan),
                ContainsRegex("0 of [1-9][0-9]* MiB that are uploaded again and again are "
                              "page-locked; the rest goes through a staging buffer, slower"));
    plan.environment.erase("PSHARD_PAGE_LOCKS");
    plan.environment["SIMGPU_LOCKABLE_MIB"] = "0";
    EXPECT_THAT(log_of(2, plan),
                AllOf(HasSubstr("MiB that are uploaded again and again are page-locked, moved to "
                                "memory of the device's driver"),
                      Not(HasSubstr("staging buffer"))));
    plan.environment["SIMGPU_LOCKABLE_MIB"] = "64";
    EXPECT_THAT(log_of(2, plan),
                AllOf(HasSubstr("MiB that are uploaded again and again are page-locked"),
                      Not(HasSubstr("staging buffer"))));
}

// A copy of the reference's GPU profile that has measured 34 MiB, of which the first 4 are taken
// before anybody can ask.
std::string gpu_profile(const test::TempFolder& folder) {
    std::ifstream reference(PSHARD_SOURCE_DIR "/profiles/reference/gpu_profile.txt");
    std::ofstream copy(folder.file("gpu_profile.txt"));
    for (std::string line; std::getline(reference, line);) {
        const bool told = line.starts_with("# pshard gpu.overhead_mib=");
        copy << (told ? "# pshard gpu.overhead_mib=34\n# pshard gpu.overhead_unseen_mib=4" : line)
             << '\n';
    }
    return folder.file("gpu_profile.txt");
}

TEST_F(MemoryLines, HoldWhatTheDriverTakesAgainstTheProfile) {
    const test::TempFolder folder;
    PlanRow plan{.name = "by profile"};
    plan.environment = {
        {"PSHARD_MAX_VRAM_ALLOC", "4"},
        {"PSHARD_CPU_PROFILE", PSHARD_SOURCE_DIR "/profiles/reference/cpu_profile.txt"},
        {"PSHARD_GPU_PROFILE", gpu_profile(folder)},
        {"SIMGPU_CONTEXT_MIB", "4"},
        {"SIMGPU_KERNELS_MIB", "30"}};
    EXPECT_THAT(log_of(20, plan),
                AllOf(HasSubstr("MiB in the arena, 34.0 outside it (34.0 predicted)\n"),
                      Not(HasSubstr("warning: "))));
    plan.environment["SIMGPU_KERNELS_MIB"] = "130";
    EXPECT_THAT(log_of(20, plan),
                AllOf(HasSubstr("MiB in the arena, 134.0 outside it (34.0 predicted)\n"),
                      HasSubstr("pshard: warning: 134.0 MiB of device memory are taken outside the "
                                "arena, 34.0 were predicted: in all "),
                      HasSubstr(" MiB more than the budget of 4 MiB and that prediction")));
}

class RateLines : public MemoryLines {
protected:
    // A log that has these words, if one of five runs says them: llama.cpp's log loses its last
    // lines now and then when a program ends (programs.cpp).
    std::string log_with(const std::string& words, int n_tokens, const PlanRow& plan) {
        std::string log = log_of(n_tokens, plan);
        for (int i = 0; i < 4 && log.find(words) == std::string::npos; ++i)
            log = log_of(n_tokens, plan);
        return log;
    }
};

// Once, whether the run is long or ends before.
TEST_F(RateLines, TellWhatWasMeasuredBesideWhatWasPredicted) {
    PlanRow plan{.name = "by profile"};
    plan.environment = {
        {"PSHARD_MAX_VRAM_ALLOC", "4"},
        {"PSHARD_CPU_PROFILE", PSHARD_SOURCE_DIR "/profiles/reference/cpu_profile.txt"},
        {"PSHARD_GPU_PROFILE", PSHARD_SOURCE_DIR "/profiles/reference/gpu_profile.txt"}};
    for (const int n_tokens : {20, 80}) {
        const std::string log = log_with("pshard: measured", n_tokens, plan);
        EXPECT_THAT(log,
                    ContainsRegex("pshard: measured [0-9.]+ t/s up to 1 token \\([0-9.]+ "
                                  "predicted\\)"));
        const std::size_t at = log.find("pshard: measured");
        EXPECT_EQ(log.find("pshard: measured", at + 1), std::string::npos);
    }
    const std::string none = "up to 1 token (none predicted)";
    EXPECT_THAT(log_with(none, 80, plan_row("stream-all")), HasSubstr(none));
}

// In the log of ggml, which never ends: each run says it.
TEST_F(RateLines, AreToldByAHostThatFreesNothing) {
    const PlanRow plan = plan_row("stream-all");
    ChildProgram program{.command = {PSHARD_LEAVING_HOST,
                                     PSHARD_LLAMA_BIN_DIR,
                                     grid.model_file(model_row("llama-Q8_0")),
                                     "PSHARD0",
                                     "20"},
                         .environment = pshard_environment(device, plan)};
    const ChildResult result = run(program);
    EXPECT_TRUE(result.ok()) << result.text();
    EXPECT_THAT(result.err, ContainsRegex("pshard: measured [0-9.]+ t/s up to 1 token"));
    program.command.back() = "0";  // it computes nothing, and there is nothing to tell
    EXPECT_THAT(run(program).err, Not(HasSubstr("measured")));
}

}  // namespace
}  // namespace pshard::backend_test
