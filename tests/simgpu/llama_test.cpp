// llama.cpp's own programs on the simulated GPU, as a user would name it: GGML_BACKEND_PATH.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "build_paths.h"
#include "models/shapes.h"
#include "support/sanitizer.h"

namespace pshard::simgpu {
namespace {

namespace fs = std::filesystem;

struct Ended {
    int status = -1;
    std::string out;
    std::string err;
};

class LlamaTest : public testing::Test {
protected:
    void SetUp() override {
        PSHARD_NO_SANITIZER();
        std::string name = (fs::temp_directory_path() / "pshard-simgpu-XXXXXX").string();
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        folder_ = name;
    }

    void TearDown() override {
        if (!folder_.empty()) fs::remove_all(folder_);
    }

    [[nodiscard]] static bool has(const std::string& program) {
        return fs::exists(fs::path(PSHARD_LLAMA_BIN_DIR) / program);
    }

    [[nodiscard]] std::string text(const std::string& name) const {
        std::ifstream file(folder_ / name, std::ios::binary);
        std::ostringstream content;
        content << file.rdbuf();
        return content.str();
    }

    // `environment`: NAME=VALUE words.
    [[nodiscard]] Ended run(const std::string& environment, const std::string& command) const {
        const std::string line =
            fmt::format("cd '{}' && env -i PATH=\"$PATH\" {} '{}'/{} >out 2>err </dev/null",
                        folder_.string(),
                        environment,
                        PSHARD_LLAMA_BIN_DIR,
                        command);
        const int status = std::system(line.c_str());
        return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text("out"), text("err")};
    }

    // llama-completion may exit before its log thread has printed the last tokens, as 13 of 60 runs
    // on the CPU alone did: such a run is repeated. A whole text ends with two new lines.
    [[nodiscard]] Ended complete(const std::string& environment, const std::string& command) const {
        Ended ended = run(environment, command);
        for (int i = 0; i < 20 && ended.status == 0 && !ended.out.ends_with("\n\n"); ++i) {
            ended = run(environment, command);
        }
        return ended;
    }

    // Greedy text of a tiny random model, on the CPU and on the device.
    void expect_same_text(const std::string& arch, const std::string& options) {
        const Result<ModelShape> shape = find_tiny_shape(arch);
        ASSERT_TRUE(shape.ok());
        const auto written = write_random(shape.value(), "Q8_0", folder_ / "model.gguf", 1);
        ASSERT_TRUE(written.ok());
        const std::string command =
            "llama-completion -m model.gguf -p 'Hello world, this is a test of many words' -n 24 "
            "--temp 0 -no-cnv -t 1 -c 512 --no-repack -fit off " +
            options;
        const Ended cpu = complete("X=1", command);
        ASSERT_EQ(cpu.status, 0) << cpu.err;
        const Ended sim = complete(kDevice, command + " -ngl 99 --device SIM0");
        EXPECT_EQ(sim.status, 0) << sim.err;
        EXPECT_EQ(sim.out, cpu.out);
        EXPECT_NE(sim.err.find("simgpu: 0 faults"), std::string::npos) << sim.err;
        EXPECT_EQ(sim.err.find(" 0 kernels"), std::string::npos) << sim.err;
    }

    const std::string kDevice = "GGML_BACKEND_PATH='" PSHARD_SIMGPU_BACKEND "' SIMGPU_CHECK=count";
    fs::path folder_;
};

TEST_F(LlamaTest, CompletesADenseModelAsTheCpuDoes) {
    if (!has("llama-completion")) GTEST_SKIP() << "llama.cpp's programs were not built";
    expect_same_text("llama", "");
    expect_same_text("llama", "-fa off");
    expect_same_text("llama", "-fa on -ctk q8_0 -ctv q8_0 -ub 8");
}

TEST_F(LlamaTest, CompletesExpertsAsTheCpuDoes) {
    if (!has("llama-completion")) GTEST_SKIP() << "llama.cpp's programs were not built";
    expect_same_text("qwen3moe", "");
}

TEST_F(LlamaTest, CompletesARecurrentModelAsTheCpuDoes) {
    if (!has("llama-completion")) GTEST_SKIP() << "llama.cpp's programs were not built";
    expect_same_text("qwen3next", "-ub 8");
}

TEST_F(LlamaTest, ComputesTheOpsOfBackendOps) {
    if (!has("test-backend-ops")) GTEST_SKIP() << "llama.cpp's programs were not built";
    for (const std::string op : {"SET_ROWS", "SOFT_MAX", "SUM_ROWS", "RMS_NORM"}) {
        const Ended ops = run(kDevice, "test-backend-ops test -b SIM0 -o " + op);
        EXPECT_EQ(ops.status, 0) << op << ops.out;
        EXPECT_NE(ops.out.find("Backend SIM0"), std::string::npos) << ops.out;
        EXPECT_NE(ops.err.find("simgpu: 0 faults"), std::string::npos) << op << ops.err;
    }
}

}  // namespace
}  // namespace pshard::simgpu
