// Folders and files that somebody made to do harm, or that go while they are read.
#include "tool/run_launcher.h"

#include "capture/gguf_maker.h"
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

class HostileToPlanner : public ToolTest {
protected:
    [[nodiscard]] std::string sparse(const std::string& name, std::uintmax_t bytes) const {
        std::ofstream(folder_ / name).close();
        std::filesystem::resize_file(folder_ / name, bytes);
        return folder_ / name;
    }

    // One sentence.
    void expect_refused(const std::vector<std::string>& arguments, const std::string& part) const {
        const ToolRun tool = run(arguments);
        EXPECT_EQ(tool.exit_code, 1) << tool.err;
        EXPECT_THAT(tool.err, HasSubstr(part));
        EXPECT_EQ(std::count(tool.err.begin(), tool.err.end(), '\n'), 1) << tool.err;
    }
};

// A trace of 4 GB of zeros took 2.1 GiB.
TEST_F(HostileToPlanner, FilesThatAreTooLargeAreNotRead) {
    const std::string file = sparse("large", std::uintmax_t{4} << 30U);
    const auto too_large = [&](const char* bytes) {
        return file + ": this file is larger than " + bytes + " bytes";
    };
    expect_refused(planning({"--gpu-profile", file}), too_large("4194304"));
    expect_refused({"--inventory", file, "-mva", "500"}, too_large("268435456"));
    expect_refused(planning({"--registry", file}), too_large("67108864"));
    expect_refused({"-m", file, "-mva", "500"}, "is no GGUF file");
}

TEST_F(HostileToPlanner, ATraceThatIsTooLargeOrNoneIsNotRead) {
    tool_ = PSHARD_TOOL_PATH_EXPLAIN;
    const std::string large = sparse("large", std::uintmax_t{4} << 30U);
    expect_refused(planning({"--trace", large}), "this file is larger than 1073741824 bytes");
    const std::string zeros = sparse("zeros", std::uintmax_t{1} << 30U);
    expect_refused(planning({"--trace", zeros}), "zeros:1:1: is no trace");
}

// 20 MB of them took 1.2 GiB.
TEST_F(HostileToPlanner, AProfileOfEmptyCommentsTakesLittle) {
    std::string comments;
    for (int i = 0; i < 2 << 20; ++i) comments += "#\n";
    put_text(folder_ / "comments", comments);
    expect_refused(planning({"--cpu-profile", folder_ / "comments"}),
                   "no header and no row of a CPU profile");
}

TEST_F(HostileToPlanner, AProfileWithAByteOrderMarkIsRead) {
    put_text(folder_ / "marked",
             "\xef\xbb\xbf" + text_in(PSHARD_SOURCE_DIR "/profiles/reference/gpu_profile.txt"));
    EXPECT_EQ(run(planning({"--gpu-profile", folder_ / "marked", "--no-registry"})).exit_code, 0);
}

// A name that a model gives itself clears the screen, and begins a line of the planner's.
TEST_F(HostileToPlanner, NamesAreShownAndNotObeyed) {
    const std::string name = "\x1b[2Jevil\n- note: \xe2\x80\xae\xc2\x9b";
    const std::string model = GgufMaker()
                                  .begin(0, 2)
                                  .string("general.name", name)
                                  .string("general.architecture", name)
                                  .data(64)
                                  .write(folder_ / ("m" + name + ".gguf"));
    expect_refused({"-m", model, "-mva", "500"}, "m\\x1b[2Jevil\\x0a- note: \\u202e\\u009b.gguf");
}

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
