// What is told of host memory that the device may or may not page-lock. Outputs without locks:
// threads_test.cpp.
#include <gmock/gmock.h>

#include "backend/harness/expect.h"

namespace pshard::backend_test {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

std::string told_with(const std::string& lockable_mib) {
    const InnerDevice device = inner_device("simgpu");
    Grid grid(device);
    ChildProgram program;
    program.command = {
        PSHARD_LLAMA_BIN_DIR "/llama-completion", "-m", grid.model_file(model_row("llama-Q8_0"))};
    program.command.insert(program.command.end(), {"--device", "PSHARD0", "-fit", "off"});
    program.command.insert(program.command.end(), {"-t", "1", "-c", "2048", "-no-cnv"});
    program.command.insert(program.command.end(), {"-p", "hello", "-n", "2"});
    program.environment = device.inner;
    program.environment["GGML_BACKEND_PATH"] = PSHARD_PLUGIN_PATH;
    program.environment["PSHARD_STRATEGY"] = "0:0";
    program.environment["SIMGPU_LOCKABLE_MIB"] = lockable_mib;
    const ChildResult result = run(program);
    EXPECT_TRUE(result.ok()) << result.text();
    return result.err;
}

TEST(PageLocks, ThatTheDeviceRefusesAreTold) {
    PSHARD_NEEDS_PLUGIN();
    PSHARD_NEEDS_DEVICE(inner_device("simgpu"));
    EXPECT_THAT(told_with("0"),
                ContainsRegex("0 of [1-9][0-9]* MiB that are uploaded again and again are "
                              "page-locked; the rest goes through a staging buffer, slower"));
    const std::string all = told_with("64");
    EXPECT_THAT(all, HasSubstr("MiB that are uploaded again and again are page-locked"));
    EXPECT_THAT(all, Not(HasSubstr("staging buffer")));
}

}  // namespace
}  // namespace pshard::backend_test
