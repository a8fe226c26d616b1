// Runs llama-pshard-plan-params, or another tool, as a user would: through a shell, with an
// environment of its own.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/temp_folder.h"
#include "build_paths.h"
#include "support/stock_memory.h"
#include "support/testing.h"

namespace pshard::test {

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

inline std::string shell_word(const std::string& word) {
    std::string inner;
    for (const char c : word) inner += c == '\'' ? "'\\''" : std::string(1, c);
    return "'" + inner + "'";
}

// Runs a line of a shell; what it prints goes by way of two files in `folder`.
inline ToolRun run_shell(const std::string& line, const std::filesystem::path& folder) {
    const std::string out = folder / "out";
    const std::string err = folder / "err";
    const int status =
        std::system(fmt::format("({}) >{} 2>{}", line, shell_word(out), shell_word(err)).c_str());
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return {code, text_in(out), text_in(err)};
}

// A folder for each test, with a real-shaped model of 2 GB (no weights) and the reference machine.
class ToolTest : public testing::Test {
protected:
    void SetUp() override {
        const Result<std::filesystem::path> model =
            testing_support::sparse_model("Llama-3.2-3B", "Q4_K_M");
        ASSERT_TRUE(model.ok()) << model.error().text();
        model_ = folder_ / "model.gguf";
        std::filesystem::create_hard_link(model.value(), model_);
        give_profiles();
    }

    // Profiles of the reference machine, named: plans are priced.
    void give_profiles() {
        const std::string profiles = PSHARD_SOURCE_DIR "/profiles/reference/";
        environment_["PSHARD_CPU_PROFILE"] = profiles + "cpu_profile.txt";
        environment_["PSHARD_GPU_PROFILE"] = profiles + "gpu_profile.txt";
    }

    std::string command(const std::vector<std::string>& arguments) const {
        std::string text = fmt::format("cd {} && exec env -i PATH=\"$PATH\"", shell_word(folder_));
        for (const auto& [name, value] : environment_) text += " " + shell_word(name + "=" + value);
        text += " " + shell_word(tool_);
        for (const std::string& argument : arguments) text += " " + shell_word(argument);
        return text;
    }

    ToolRun run(const std::vector<std::string>& arguments) const {
        return run_shell(command(arguments), folder_);
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
    const TempFolder temp_;
    const std::filesystem::path folder_ = temp_.path();
    std::filesystem::path model_;
    std::map<std::string, std::string> environment_;
};

}  // namespace pshard::test
