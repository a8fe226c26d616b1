// Folders and files that somebody made to do harm, or that go while they are read.
#include "tool/run_launcher.h"

#include <sstream>

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

// The lines that are no progress, which a slow machine shows.
std::ptrdiff_t n_sentences(const std::string& text) {
    std::istringstream lines(text);
    std::ptrdiff_t n = 0;
    for (std::string line; std::getline(lines, line);) {
        if (line.find(" ... ") == std::string::npos) ++n;
    }
    return n;
}

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
        EXPECT_EQ(n_sentences(tool.err), 1) << tool.err;
    }
};

// Writers whose disk is full, by way of a limit on the size of files: one sentence, and what was
// there stays.
class FullDisk : public ToolTest {
protected:
    // `kib`: what a file may have, in bash's unit.
    [[nodiscard]] ToolRun run_limited(int kib, const std::vector<std::string>& arguments) const {
        const std::string line = fmt::format("ulimit -f {}; {}", kib, command(arguments));
        return run_shell("bash -c " + shell_word(line), folder_);
    }

    void expect_kept(const std::string& file, const ToolRun& tool) const {
        EXPECT_EQ(tool.exit_code, 1) << tool.err;
        EXPECT_THAT(tool.err,
                    HasSubstr(file + ".pshard-tmp: cannot write this temporary file: File too "
                                     "large"));
        EXPECT_FALSE(std::filesystem::exists(folder_ / (file + ".pshard-tmp")));
    }
};

// A saved inventory is planned: a model's header is copied to memory, which has the same limit.
TEST_F(FullDisk, LeavesWhatWasThereAsItWas) {
    ASSERT_EQ(run(planning({"--save-inventory", "inv", "--registry", "reg"})).exit_code, 0);
    const std::vector<std::string> saved = {"--inventory", "inv", "-mva", "1400"};
    const auto with = [&](const std::vector<std::string>& more) {
        std::vector<std::string> all = saved;
        all.insert(all.end(), more.begin(), more.end());
        return all;
    };
    const std::string registry_text = text_in(folder_ / "reg");
    const std::string inventory = text_in(folder_ / "inv");
    expect_kept("reg", run_limited(1, with({"--registry", "reg"})));
    EXPECT_EQ(text_in(folder_ / "reg"), registry_text);
    put_text(folder_ / "copy", inventory);
    expect_kept("copy", run_limited(4, with({"--no-registry", "--save-inventory", "copy"})));
    EXPECT_EQ(text_in(folder_ / "copy"), inventory);
    tool_ = PSHARD_TOOL_PATH_EXPLAIN;
    put_text(folder_ / "report.html", "<!doctype html>mine");
    expect_kept("report.html", run_limited(64, with({"--html", "report.html"})));
    EXPECT_EQ(text_in(folder_ / "report.html"), "<!doctype html>mine");
}

TEST_F(FullDisk, IsToldOfStdoutToo) {
    for (const char* tool : {PSHARD_TOOL_PATH_PLAN_PARAMS, PSHARD_TOOL_PATH_MAKE_MODEL}) {
        tool_ = tool;
        const ToolRun full = run_shell("(" + command({"--help"}) + ") >/dev/full", folder_);
        EXPECT_EQ(full.exit_code, 1) << tool;
        EXPECT_THAT(full.err, EndsWith("cannot write to stdout: No space left on device\n"));
    }
    tool_ = PSHARD_TOOL_PATH_MAKE_MODEL;
    EXPECT_EQ(run_shell("(" + command({"--list"}) + ") >/dev/full", folder_).exit_code, 1);
}

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

// Root searches any folder, unless it has given the right to do so up.
TEST_F(HostileToPlanner, AFolderThatMayNotBeSearchedIsToldAsSuch) {
    const std::filesystem::path closed = folder_ / "closed";
    std::filesystem::create_directory(closed);
    std::filesystem::permissions(closed, std::filesystem::perms::none);
    const std::string powers = "-dac_override,-dac_read_search";
    const std::string as_user =
        geteuid() == 0 ? fmt::format("setpriv --bounding-set={0} --inh-caps={0} ", powers) : "";
    if (run_shell(as_user + "ls " + shell_word(closed), folder_).exit_code == 0 ||
        run_shell(as_user + "true", folder_).exit_code != 0) {
        GTEST_SKIP() << "no right to give up";
    }
    const std::string inside = closed / "file";
    const auto refused = [&](const std::vector<std::string>& arguments) {
        const ToolRun tool =
            run_shell(as_user + "sh -c " + shell_word(command(arguments)), folder_);
        EXPECT_EQ(tool.exit_code, 1) << tool.err;
        EXPECT_THAT(tool.err, HasSubstr(inside));
        EXPECT_THAT(tool.err, HasSubstr("Permission denied"));
        EXPECT_EQ(n_sentences(tool.err), 1) << tool.err;
    };
    refused(planning({"--registry", inside}));
    refused(planning({"--no-registry", "--save-inventory", inside}));
    refused(planning({"--cpu-profile", inside}));
    refused({"-m", inside, "-mva", "500"});
    refused({"--inventory", inside, "-mva", "500"});
    tool_ = PSHARD_TOOL_PATH_EXPLAIN;
    refused(planning({"--trace", inside}));
    refused(planning({"--html", inside}));
    tool_ = PSHARD_TOOL_PATH_MAKE_MODEL;
    refused({"--random", "llama", "-o", inside + ".gguf"});
    std::filesystem::permissions(closed, std::filesystem::perms::owner_all);
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
