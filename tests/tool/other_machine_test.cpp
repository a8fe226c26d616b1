// A profile of another machine is planned for, and said to be one.
#include "machine/identity.h"
#include "machine/profile_text.h"
#include "support/machines.h"
#include "support/testing.h"
#include "tool/run_tool.h"

namespace pshard::test {
namespace {

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
};

// On no test machine runs the reference's Windows.
TEST_F(OtherMachine, IsNamedOnceWithWhatDiffers) {
    for (const char* format : {"md", "json", "csv"}) {
        SCOPED_TRACE(format);
        const ToolRun tool = run(planning({"--no-registry", "-o", format}));
        ASSERT_EQ(tool.exit_code, 0) << tool.err;
        const bool table = format == std::string("md");  // has it at its head
        const std::string& told = table ? tool.out : tool.err;
        EXPECT_THAT(table ? tool.err : "", Not(HasSubstr("note:")));
        const std::size_t at = told.find("note: the profile is from another machine");
        ASSERT_NE(at, std::string::npos) << told;
        const std::string note = told.substr(at, told.find('\n', at) - at);
        EXPECT_THAT(note, HasSubstr("OS: profile 'Windows', here '"));
        EXPECT_THAT(note,
                    HasSubstr("run llama-profiler-cpu and llama-profiler-gpu here, or ignore"));
        EXPECT_THAT(told.substr(at + note.size()), Not(HasSubstr("another machine")));
    }
}

TEST_F(OtherMachine, IsNotThisOne) {
    MachineProfile profile = testing_support::reference_profile();
    set_identity(this_machine(), profile);
    const ToolRun tool = planned_with(profile);
    EXPECT_EQ(tool.exit_code, 0);
    EXPECT_THAT(tool.out, Not(HasSubstr("another machine")));
}

// What was measured here lies in the cache: the flags may speak of another GPU, not of another CPU.
TEST_F(OtherMachine, LeavesTheCachedCpuItsProfile) {
    MachineProfile profile = testing_support::reference_profile();
    set_identity(this_machine(), profile);
    const ProfileTexts texts = to_text(profile);
    const std::filesystem::path cache = folder_ / "pshard";
    std::filesystem::create_directory(cache);
    std::ofstream(cache / "cpu_profile.txt") << texts.cpu.value();
    std::ofstream(folder_ / "named.txt") << texts.gpu.value();
    environment_ = {{"XDG_CACHE_HOME", folder_}};
    const auto planned = [this](std::vector<std::string> more) {
        more.insert(more.end(), {"--no-registry", "--device-memory", "8192"});
        return run(planning(more)).out;
    };
    const std::string named = planned({"--gpu-profile", folder_ / "named.txt"});
    EXPECT_THAT(named, Not(HasSubstr("passed over")));
    EXPECT_THAT(named, Not(HasSubstr("no speed is predicted")));
    std::filesystem::rename(folder_ / "named.txt", cache / "gpu_profile.txt");
    const std::string found = planned({});
    EXPECT_THAT(found, HasSubstr("gpu_profile.txt of this machine's GPU is passed over"));
    EXPECT_THAT(found, Not(HasSubstr("cpu_profile.txt of this")));
}

// At the head of the first table.
TEST_F(OtherMachine, IsNamedOnceForSeveralContexts) {
    const std::string out =
        run({"-m", model_, "-mva", "1500", "--bench-plan", "--no-registry"}).out;
    const std::size_t at = out.find("note: the profile is from another machine");
    ASSERT_NE(at, std::string::npos);
    EXPECT_EQ(out.find("another machine", at + 40), std::string::npos);
}

}  // namespace
}  // namespace pshard::test
