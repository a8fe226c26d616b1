// What is told of device memory that the driver takes besides the arena, of a device that takes
// some. When and how much: tests/runtime/memory_watch_test.cpp.
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>

#include "backend/harness/expect.h"
#include "backend/harness/programs.h"
#include "base/temp_folder.h"
#include "build_paths.h"

namespace pshard::backend_test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

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

// A prompt and some tokens, on a device whose kernels take so much when the first is loaded.
std::string told_with(const std::string& kernels_mib) {
    const test::TempFolder folder;
    const InnerDevice device = inner_device("simgpu");
    Grid grid(device);
    ChildProgram program = completion(grid.model_file(model_row("llama-Q8_0")), 20);
    program.command.insert(program.command.end(), {"-fit", "off", "-c", "512"});
    program.environment.merge(Environment(device.inner));
    program.environment.merge(
        Environment{{"GGML_BACKEND_PATH", PSHARD_PLUGIN_PATH},
                    {"PSHARD_MAX_VRAM_ALLOC", "4"},
                    {"PSHARD_CPU_PROFILE", PSHARD_SOURCE_DIR "/profiles/reference/cpu_profile.txt"},
                    {"PSHARD_GPU_PROFILE", gpu_profile(folder)},
                    {"SIMGPU_CONTEXT_MIB", "4"},
                    {"SIMGPU_KERNELS_MIB", kernels_mib}});
    const ChildResult result = run(program);
    EXPECT_TRUE(result.ok()) << result.text();
    return result.err;
}

TEST(DeviceMemory, OutsideTheArenaIsHeldAgainstTheProfile) {
    PSHARD_NEEDS_PLUGIN();
    PSHARD_NEEDS_DEVICE(inner_device("simgpu"));
    EXPECT_THAT(told_with("30"),
                AllOf(HasSubstr("MiB in the arena, 34.0 outside it (34.0 predicted)\n"),
                      Not(HasSubstr("warning: "))));
    EXPECT_THAT(told_with("130"),
                AllOf(HasSubstr("MiB in the arena, 134.0 outside it (34.0 predicted)\n"),
                      HasSubstr("pshard: warning: 134.0 MiB of device memory are taken outside the "
                                "arena, 34.0 were predicted: in all "),
                      HasSubstr(" MiB more than the budget of 4 MiB and that prediction")));
}

}  // namespace
}  // namespace pshard::backend_test
