// A profile of another machine is planned for, and said to be one.
#include <gmock/gmock.h>

#include "machine/identity.h"
#include "machine/profile_text.h"
#include "tool/run_tool.h"

namespace pshard::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class OtherMachine : public ToolTest {
protected:
    // Plans with this profile instead of the reference.
    ToolRun planned_with(const MachineProfile& profile) {
        const ProfileTexts texts = to_text(profile);
        for (const auto& [name, text] :
             {std::pair{"cpu_profile.txt", texts.cpu}, std::pair{"gpu_profile.txt", texts.gpu}}) {
            std::ofstream(folder_ / name) << text.value();
        }
        environment_.clear();
        return run(planning({"--no-registry"}));
    }

    MachineProfile reference() const {
        return read_profile_files(
                   {environment_.at("PSHARD_CPU_PROFILE"), environment_.at("PSHARD_GPU_PROFILE")})
            .value();
    }
};

// On no test machine runs the reference's Windows.
TEST_F(OtherMachine, IsNamedOnceWithWhatDiffers) {
    const ToolRun tool = run(planning({"--no-registry"}));
    ASSERT_EQ(tool.exit_code, 0) << tool.err;
    const std::size_t at = tool.err.find("note: the profile is from another machine");
    ASSERT_NE(at, std::string::npos) << tool.err;
    const std::string note = tool.err.substr(at, tool.err.find('\n', at) - at);
    EXPECT_THAT(note, HasSubstr("OS: profile 'Windows', here '"));
    EXPECT_THAT(note, HasSubstr("run llama-profiler-cpu and llama-profiler-gpu here, or ignore"));
    EXPECT_THAT(tool.err.substr(at + note.size()), Not(HasSubstr("another machine")));
    EXPECT_THAT(tool.out, HasSubstr("- " + note));
}

TEST_F(OtherMachine, IsNotThisOne) {
    MachineProfile profile = reference();
    set_identity(this_machine(), profile);
    const ToolRun tool = planned_with(profile);
    EXPECT_EQ(tool.exit_code, 0);
    EXPECT_THAT(tool.err, Not(HasSubstr("another machine")));
}

// A profile of the published profilers names nothing.
TEST_F(OtherMachine, IsUnknownWithoutNames) {
    MachineProfile profile = reference();
    profile.cpu_name = profile.gpu_name = profile.os_name = "";
    const ToolRun tool = planned_with(profile);
    EXPECT_EQ(tool.exit_code, 0);
    EXPECT_THAT(tool.err, Not(HasSubstr("another machine")));
}

// One line, though the profile is another machine's.
TEST_F(OtherMachine, IsNoPartOfAnError) {
    const ToolRun tool = run({"-m", folder_ / "missing.gguf", "-c", "512", "-mva", "500"});
    EXPECT_EQ(tool.exit_code, 1);
    EXPECT_THAT(tool.err, Not(HasSubstr("note:")));
}

}  // namespace
}  // namespace pshard::test
