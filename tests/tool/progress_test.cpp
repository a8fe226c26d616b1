// What a tool shows while it works, and that it can be stopped.
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <regex>
#include <thread>

#include "tool/run_tool.h"

namespace pshard::test {
namespace {

class ProgressTool : public ToolTest {
protected:
    void SetUp() override {
        ToolTest::SetUp();
        const Result<std::filesystem::path> model =
            testing_support::sparse_model("Qwen3-Next-80B-A3B", "Q4_K_M");
        ASSERT_TRUE(model.ok()) << model.error().text();
        std::filesystem::remove(model_);
        std::filesystem::create_hard_link(model.value(), model_);
        tool_ = PSHARD_TOOL_PATH_EXPLAIN;
    }

    // Explains, with a plan for each of so many changes.
    std::vector<std::string> explaining(int n_changes, std::vector<std::string> more = {}) const {
        std::vector<std::string> all = planning({"--html", folder_ / "report.html"});
        for (int link = 1; link <= n_changes; ++link) {
            all.insert(all.end(), {"--what-if", fmt::format("link={}GB/s", link)});
        }
        all.insert(all.end(), more.begin(), more.end());
        return all;
    }

    // Starts the tool as a process of its own, which a signal can end; its stderr goes to `err()`.
    pid_t start(const std::vector<std::string>& arguments) const {
        const std::string line = command(arguments) + " >/dev/null 2>" + shell_word(err());
        const pid_t pid = fork();
        if (pid == 0) {
            std::signal(SIGINT, SIG_DFL);  // ignored where the tests run behind a shell's '&'
            execl("/bin/sh", "sh", "-c", line.c_str(), nullptr);
            _exit(127);
        }
        return pid;
    }

    std::string err() const { return folder_ / "stderr.txt"; }

    // Whether the tool shows how far it is before it ends; waits for either.
    bool shows_progress(pid_t pid, int& status) const {
        static const std::regex kHowFar(R"( \.\.\. \d+ of \d+ (tiers|plans)\n)");
        while (waitpid(pid, &status, WNOHANG) == 0) {
            if (std::regex_search(text_in(err()), kHowFar)) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
        return false;
    }

    std::vector<std::string> files() const {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
            names.push_back(entry.path().filename());
        }
        std::sort(names.begin(), names.end());
        return names;
    }
};

// No machine makes so many plans within the second in which nothing is shown.
TEST_F(ProgressTool, IsShownAndAnInterruptLeavesNothingBehind) {
    const pid_t pid = start(explaining(500));
    int status = 0;
    ASSERT_TRUE(shows_progress(pid, status)) << text_in(err());
    kill(pid, SIGINT);
    waitpid(pid, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(WTERMSIG(status), SIGINT);
    EXPECT_EQ(files(), (std::vector<std::string>{"model.gguf", "stderr.txt"}));
}

TEST_F(ProgressTool, IsSilentWhenAsked) {
    int status = 0;
    EXPECT_FALSE(shows_progress(start(explaining(8, {"--quiet"})), status));
    EXPECT_EQ(status, 0);
    EXPECT_EQ(text_in(err()).find(" ..."), std::string::npos) << text_in(err());
}

}  // namespace
}  // namespace pshard::test
