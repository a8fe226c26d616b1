// What is told of host memory that the device may or may not page-lock. Outputs without locks:
// threads_test.cpp.
#include <gmock/gmock.h>

#include "backend/harness/expect.h"
#include "backend/harness/programs.h"

namespace pshard::backend_test {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

std::string told_with(const std::string& lockable_mib) {
    const InnerDevice device = inner_device("simgpu");
    Grid grid(device);
    ChildProgram program = completion(grid.model_file(model_row("llama-Q8_0")), 2);
    program.command.insert(program.command.end(), {"-fit", "off", "-c", "2048"});
    program.environment.merge(pshard_environment(device, plan_row("stream-all")));
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
