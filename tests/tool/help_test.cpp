// --help of every program: a page with the sections that man pages have.
#include "build_paths.h"
#include "support/testing.h"
#include "tool/run_tool.h"

namespace pshard::test {
namespace {

struct Program {
    const char* path;
    const char* page;  // of docs/cli
};

class Help : public ToolTest, public testing::WithParamInterface<const char*> {};

class HelpAndPage : public ToolTest, public testing::WithParamInterface<Program> {};

TEST_P(Help, ReadsLikeAManPage) {
    tool_ = GetParam();
    const std::string name = std::filesystem::path(tool_).filename();
    const ToolRun help = run({"--help"});
    EXPECT_EQ(help.exit_code, 0);
    EXPECT_EQ(help.err, "");
    EXPECT_THAT(help.out, StartsWith("NAME\n    " + name + " - "));
    std::size_t last = 0;
    for (const char* section : {"\nSYNOPSIS\n    ",
                                "\nDESCRIPTION\n    ",
                                "\nOPTIONS\n  ",
                                "\nEXIT STATUS\n    ",
                                "\nEXAMPLES\n    ",
                                "\nSEE ALSO\n    "}) {
        const std::size_t at = help.out.find(section);
        EXPECT_NE(at, std::string::npos) << section;
        EXPECT_GT(at, last) << section;
        last = at;
    }
    EXPECT_THAT(help.out, HasSubstr("    --version\n"));
    EXPECT_THAT(help.out, Not(HasSubstr("TEXT")));  // CLI11's own words
    const ToolRun version = run({"--version"});
    EXPECT_EQ(version.exit_code, 0);
    EXPECT_EQ(version.out, name + " " PSHARD_VERSION "\n");
}

// What --help knows, the page tells.
TEST_P(HelpAndPage, HaveTheSameFlags) {
    tool_ = GetParam().path;
    const std::string folder = PSHARD_SOURCE_DIR "/docs/cli/";
    std::string page = text_in(folder + GetParam().page);
    // These two take another's flags, and say so.
    page +=
        text_in(folder + "llama-pshard-plan-params.md") + text_in(folder + "llama-profiler-cpu.md");
    std::istringstream lines(run({"--help"}).out);
    int n_flags = 0;
    bool in_options = false;
    for (std::string line; std::getline(lines, line);) {
        if (!line.empty() && line[0] != ' ') in_options = line == "OPTIONS";
        if (!in_options || !line.starts_with("    -")) continue;
        const std::string flag = line.substr(4, line.find_first_of(", ", 4) - 4);
        if (flag == "--version" || flag == "-h") continue;
        n_flags++;
        EXPECT_TRUE(page.find("`" + flag) != std::string::npos ||
                    page.find(", " + flag) != std::string::npos)
            << flag;
    }
    EXPECT_GT(n_flags, 5);
}

INSTANTIATE_TEST_SUITE_P(Programs,
                         Help,
                         Values(PSHARD_TOOL_PATH_RUN,
                                PSHARD_TOOL_PATH_PLAN_PARAMS,
                                PSHARD_TOOL_PATH_EXPLAIN,
                                PSHARD_TOOL_PATH_PROFILER_CPU,
                                PSHARD_TOOL_PATH_PROFILER_GPU,
                                PSHARD_TOOL_PATH_MAKE_MODEL),
                         [](const auto& one) {
                             return test_name(std::filesystem::path(one.param).filename());
                         });

INSTANTIATE_TEST_SUITE_P(
    Programs,
    HelpAndPage,
    Values(Program{PSHARD_TOOL_PATH_RUN, "llama-pshard-run.md"},
           Program{PSHARD_TOOL_PATH_PLAN_PARAMS, "llama-pshard-plan-params.md"},
           Program{PSHARD_TOOL_PATH_PROFILER_CPU, "llama-profiler-cpu.md"},
           Program{PSHARD_TOOL_PATH_PROFILER_GPU, "llama-profiler-gpu.md"}),
    [](const auto& one) { return test_name(std::filesystem::path(one.param.path).filename()); });

}  // namespace
}  // namespace pshard::test
