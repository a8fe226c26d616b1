// Runs llama-pshard-run as a user would, with a stand-in for a program of llama.cpp's that tells
// how it was started.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "build_paths.h"
#include "tool/run_tool.h"

namespace pshard::test {

// The model of ToolTest (2 GB, no weights), an empty cache of profiles, no GPU.
class LauncherTest : public ToolTest {
protected:
    void SetUp() override {
        ToolTest::SetUp();
        environment_.clear();
        environment_["HOME"] = folder_;
        environment_["PSHARD_DEVICE"] = "CPU";
        tool_ = PSHARD_TOOL_PATH_RUN;
    }

    // A script that answers --version and --list-devices, and else prints its variables, arguments
    // and input, and ends with exit code 7.
    std::filesystem::path stand_in(const std::string& name,
                                   const std::string& version = PSHARD_LLAMA_VERSION,
                                   const std::string& devices = "  PSHARD0: streams\n") const {
        const std::filesystem::path path = folder_ / name;
        std::ofstream file(path);
        file << "#!/bin/sh\ncase \"$1\" in\n--version) echo 'version: " << version
             << " (build 1, commit abc)' >&2; exit ;;\n--list-devices) printf 'Available "
                "devices:\\n"
             << devices << "'; exit ;;\nesac\necho \"pid $$\"\nenv\necho args \"$@\"\n"
             << "echo input $(cat)\nexit 7\n";
        file.close();
        std::filesystem::permissions(path, std::filesystem::perms::owner_all);
        return path;
    }

    // flags, --, the program, its arguments
    static std::vector<std::string> with(std::vector<std::string> flags,
                                         const std::vector<std::string>& command) {
        flags.emplace_back("--");
        flags.insert(flags.end(), command.begin(), command.end());
        return flags;
    }

    // One sentence on stderr, nothing on stdout.
    static void expect_sentence(const ToolRun& tool, const std::string& part) {
        EXPECT_EQ(tool.exit_code, 1);
        EXPECT_NE(tool.err.find(part), std::string::npos) << tool.err;
        EXPECT_EQ(std::count(tool.err.begin(), tool.err.end(), '\n'), 1) << tool.err;
        EXPECT_EQ(tool.out, "");
    }
};

}  // namespace pshard::test
