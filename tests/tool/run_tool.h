// Runs llama-pshard-plan-params, or another tool, as a user would: through a shell, with an
// environment of its own.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "build_paths.h"
#include "support/stock_memory.h"

namespace pshard::test {

inline std::string read_text(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

// Of a command line, by blanks.
inline std::vector<std::string> words(const std::string& text) {
    std::istringstream stream(text);
    return {std::istream_iterator<std::string>(stream), {}};
}

struct ToolRun {
    int exit_code = -1;  // 128 + the signal that ended it
    std::string out;
    std::string err;
};

// A folder for each test, with a real-shaped model of 2 GB (no weights) and the reference machine.
class ToolTest : public testing::Test {
protected:
    void SetUp() override {
        std::string name = (std::filesystem::temp_directory_path() / "pshard-tool-XXXXXX").string();
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        folder_ = name;
        const Result<std::filesystem::path> model =
            testing_support::sparse_model("Llama-3.2-3B", "Q4_K_M");
        ASSERT_TRUE(model.ok()) << model.error().text();
        model_ = folder_ / "model.gguf";
        std::filesystem::create_hard_link(model.value(), model_);
        const std::string profiles = std::string(PSHARD_SOURCE_DIR) + "/profiles/reference/";
        environment_["PSHARD_CPU_PROFILE"] = profiles + "cpu_profile.txt";
        environment_["PSHARD_GPU_PROFILE"] = profiles + "gpu_profile.txt";
    }

    void TearDown() override { std::filesystem::remove_all(folder_); }

    static std::string quoted(const std::string& word) {
        std::string inner;
        for (const char c : word) inner += c == '\'' ? "'\\''" : std::string(1, c);
        return "'" + inner + "'";
    }

    std::string command(const std::vector<std::string>& arguments) const {
        std::string text = fmt::format("cd {} && exec env -i PATH=\"$PATH\"", quoted(folder_));
        for (const auto& [name, value] : environment_) text += " " + quoted(name + "=" + value);
        text += " " + quoted(tool_);
        for (const std::string& argument : arguments) text += " " + quoted(argument);
        return text;
    }

    ToolRun run(const std::vector<std::string>& arguments) const {
        const std::string out = folder_ / "stdout.txt";
        const std::string err = folder_ / "stderr.txt";
        const int status = std::system(
            fmt::format("({}) >{} 2>{}", command(arguments), quoted(out), quoted(err)).c_str());
        const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        return {code, read_text(out), read_text(err)};
    }

    // -m MODEL -c 4096 -fa on -mva 1500, and more.
    std::vector<std::string> planning(std::vector<std::string> more = {}) const {
        std::vector<std::string> all = {"-m", model_, "-c", "4096", "-fa", "on", "-mva", "1500"};
        all.insert(all.end(), more.begin(), more.end());
        return all;
    }

    std::filesystem::path registry() const {
        return model_.string() + ".tensor_overrides.pshard_registry";
    }

    std::string tool_ = PSHARD_TOOL_PATH_PLAN_PARAMS;
    std::filesystem::path folder_;
    std::filesystem::path model_;
    std::map<std::string, std::string> environment_;
};

}  // namespace pshard::test
