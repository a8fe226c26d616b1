// Runs a profiler as a user would: through a shell, in an empty folder, with an environment of its
// own.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "build_paths.h"
#include "machine/profile_text.h"
#include "support/test_gpu.h"
#include "tool/run_tool.h"

namespace pshard::profiler_test {

using test::read_text;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

inline constexpr auto kCpu = PSHARD_TOOL_PATH_PROFILER_CPU;
inline constexpr auto kGpu = PSHARD_TOOL_PATH_PROFILER_GPU;

struct Ran {
    int exit_code = -1;
    std::string out{};
    std::string err{};
};

class ProfilerTest : public testing::Test {
protected:
    void SetUp() override {
        std::string name = (std::filesystem::temp_directory_path() / "pshard-prof-XXXXXX").string();
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        folder_ = name;
        std::filesystem::create_directory(folder_ / "here");
    }

    void TearDown() override { std::filesystem::remove_all(folder_); }

    void give_gpu() { environment_ = testing_support::gpu_environment(); }

    // In a folder that is empty but for what the tool writes there; `before` goes before its name.
    Ran run(const std::string& tool, const std::string& arguments, const std::string& before = "") {
        std::string command = fmt::format("cd '{}' && env -i PATH=\"$PATH\"", here().string());
        for (const auto& [name, value] : environment_)
            command += fmt::format(" {}='{}'", name, value);
        command += fmt::format(" {} {} {} >'{}' 2>'{}'",
                               before,
                               tool,
                               arguments,
                               (folder_ / "out").string(),
                               (folder_ / "err").string());
        const int status = std::system(command.c_str());
        return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
                read_text(folder_ / "out"),
                read_text(folder_ / "err")};
    }

    // Lavapipe of Mesa 22.3.6 crashes in about 1 of 8 long runs: in the thread of its queue, inside
    // libvulkan_lvp.so. The cause was not found; a program that opens the device only once was not
    // seen to. So twice again.
    Ran run_on_lavapipe(const std::string& tool, const std::string& arguments) {
        constexpr int kCrashed = 128 + SIGSEGV;
        Ran ran = run(tool, arguments);
        for (int i = 0; i < 2 && ran.exit_code == kCrashed; i++) ran = run(tool, arguments);
        return ran;
    }

    [[nodiscard]] std::filesystem::path here() const { return folder_ / "here"; }

    [[nodiscard]] std::set<std::string> files() const {
        std::set<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(here())) {
            names.insert(entry.path().filename());
        }
        return names;
    }

    // One sentence, and nothing left behind.
    void expect_refused(const Ran& ran, const std::string& reason) const {
        EXPECT_EQ(ran.exit_code, 1);
        EXPECT_THAT(ran.err, HasSubstr(reason));
        EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
        EXPECT_THAT(ran.out, IsEmpty());
        EXPECT_THAT(files(), IsEmpty());
    }

    MachineProfile profile() const {
        const auto read = read_profile_files({.cpu = (here() / "cpu_profile.txt").string(),
                                              .gpu = (here() / "gpu_profile.txt").string()});
        EXPECT_TRUE(read.ok()) << read.error().text();
        return read ? read.value() : MachineProfile{};
    }

    std::filesystem::path folder_{};
    std::map<std::string, std::string> environment_{};
};

}  // namespace pshard::profiler_test
