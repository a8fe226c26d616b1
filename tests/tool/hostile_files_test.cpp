// Folders and files that somebody made to do harm, or that go while they are read.
#include "tool/run_launcher.h"

#include "support/testing.h"

namespace pshard::test {
namespace {

class HostileFiles : public LauncherTest {
protected:
    // Runs the tool in a folder that was removed.
    [[nodiscard]] ToolRun run_nowhere(const std::vector<std::string>& arguments) const {
        const std::string gone = shell_word((folder_ / "gone").string());
        const std::string there = "cd " + shell_word(folder_.string());
        std::string line = command(arguments);
        line.replace(0, there.size(), "mkdir " + gone + " && cd " + gone + " && rmdir " + gone);
        return run_shell(line, folder_);
    }
};

// std::filesystem threw there.
TEST_F(HostileFiles, TheLauncherStartsInAFolderThatIsGone) {
    const ToolRun tool = run_nowhere(with(planning(), {stand_in("llama-cli")}));
    EXPECT_EQ(tool.exit_code, 7) << tool.err;
    EXPECT_THAT(tool.out, HasSubstr("args -m " + model_.string()));
}

TEST_F(HostileFiles, ARelativePathInAFolderThatIsGoneIsToldAsSuch) {
    expect_sentence(
        run_nowhere(with({"-m", "m.gguf", "-c", "64", "-mva", "99"}, {stand_in("llama-cli")})),
        "m.gguf: cannot be found from the working folder (No such file or directory): change to "
        "another one, or give the whole path\n");
}

}  // namespace
}  // namespace pshard::test
