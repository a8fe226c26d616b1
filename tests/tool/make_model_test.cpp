// pshard-make-model as a program: what it refuses, each in one sentence.
#include <sys/stat.h>

#include "build_paths.h"
#include "support/testing.h"
#include "tool/run_tool.h"

namespace pshard::test {
namespace {

class MakeModel : public ToolTest {
protected:
    void SetUp() override {
        ToolTest::SetUp();
        tool_ = PSHARD_TOOL_PATH_MAKE_MODEL;
    }

    ToolRun small(std::vector<std::string> more = {}) const {
        more.insert(more.begin(), {"--random", "llama", "-o", "small.gguf"});
        return run(more);
    }

    void expect_refused(const ToolRun& tool, const std::string& reason) const {
        EXPECT_EQ(tool.exit_code, 1);
        EXPECT_EQ(tool.out, "");
        EXPECT_EQ(tool.err, "pshard-make-model: " + reason + "\n");
        EXPECT_FALSE(std::filesystem::exists(folder_ / "small.gguf"));
    }
};

TEST_F(MakeModel, RefusesSizesThatAreNone) {
    expect_refused(small({"--quant", ""}),
                   "--quant: its value is empty: give one, or leave the flag "
                   "out");
    for (const auto& [flag, most] : {std::pair{"--layers", 512},
                                     {"--heads-kv", 1024},
                                     {"--embd", 131072},
                                     {"--experts", 1024},
                                     {"--split", 1000}}) {
        for (const char* value : {"0", "-1", "x", "2.5"}) {
            expect_refused(
                small({flag, value}),
                fmt::format("{}: '{}' is no whole number from 1 to {}", flag, value, most));
        }
    }
    expect_refused(small({"--experts", "8"}),
                   "--experts, --experts-used, --ff-expert: models of llama have none");
}

// Qwen3-8B has 36 layers, whatever the flags say.
TEST_F(MakeModel, RefusesOtherSizesForARealModel) {
    for (const char* flag : {"--layers", "--seed"}) {
        expect_refused(run({"Qwen3-8B", flag, "2", "-o", "small.gguf"}),
                       fmt::format("{} requires --random", flag));
    }
}

// llama.cpp ends on such a model with an assertion.
TEST_F(MakeModel, RefusesWhatLlamaCppDoesNotTake) {
    const auto moe = [this](std::vector<std::string> more) {
        more.insert(more.begin(), {"--random", "glm4moe", "-o", "small.gguf"});
        return run(more);
    };
    expect_refused(moe({"--layers", "512", "--nextn", "1"}),
                   "513 layers, with MTP layers, are more than llama.cpp takes, 512: give fewer");
    expect_refused(moe({"--experts", "8", "--experts-used", "9"}),
                   "9 experts for each token are more than there are, 8: give fewer");
}

// Opening it waited for a reader.
TEST_F(MakeModel, WritesIntoNoPipe) {
    const std::string pipe = folder_ / "pipe.gguf";
    ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
    expect_refused(run({"--random", "llama", "-o", pipe, "--force"}),
                   pipe + ": is no file that --force could write over");
}

TEST_F(MakeModel, WritesOverNothingUnlessForced) {
    ASSERT_EQ(small().exit_code, 0);
    const std::string first = text_in(folder_ / "small.gguf");
    const ToolRun again = small({"--seed", "2"});
    EXPECT_EQ(again.exit_code, 1);
    EXPECT_EQ(again.err,
              "pshard-make-model: small.gguf: is there already; --force writes over it\n");
    EXPECT_EQ(text_in(folder_ / "small.gguf"), first);
    EXPECT_EQ(small({"--seed", "2", "--force"}).exit_code, 0);
    EXPECT_NE(text_in(folder_ / "small.gguf"), first);

    ASSERT_EQ(small({"--split", "3"}).exit_code, 0);
    std::filesystem::remove(folder_ / "small-00001-of-00003.gguf");
    EXPECT_THAT(small({"--split", "3"}).err, HasSubstr("small-00002-of-00003.gguf: is there"));
}

// What a full disk holds of a model is no model.
TEST_F(MakeModel, LeavesNoHalfOfAFile) {
    const std::string limited = fmt::format("ulimit -f 100; ({}) 2>{}",
                                            command({"--random", "llama", "-o", "small.gguf"}),
                                            shell_word(folder_ / "err"));
    const int status =
        std::system(fmt::format("bash -c {}", shell_word("trap '' XFSZ; " + limited)).c_str());
    EXPECT_EQ(WEXITSTATUS(status), 1);
    EXPECT_EQ(text_in(folder_ / "err"),
              "pshard-make-model: small.gguf.pshard-tmp: cannot make this temporary file as large "
              "as it will be: File too large\n");
    EXPECT_FALSE(std::filesystem::exists(folder_ / "small.gguf"));
}

// It was half of a model, and the old one gone.
TEST_F(MakeModel, LeavesTheOldFileWhereItIsKilled) {
    ASSERT_EQ(small().exit_code, 0);
    const std::string first = text_in(folder_ / "small.gguf");
    const std::string large = command({"--random",
                                       "llama",
                                       "--quant",
                                       "F16",
                                       "--embd",
                                       "2048",
                                       "--ff",
                                       "8192",
                                       "--force",
                                       "-o",
                                       "small.gguf"});
    const ToolRun killed = run_shell(
        fmt::format("({}) & for i in $(seq 2000); do [ -s {} ] && break; sleep 0.01; done; kill -9 "
                    "$!; wait $!",
                    large,
                    shell_word(folder_ / "small.gguf.pshard-tmp")),
        folder_);
    EXPECT_EQ(killed.exit_code, 128 + 9) << killed.err;
    EXPECT_EQ(text_in(folder_ / "small.gguf"), first);
    EXPECT_EQ(small({"--seed", "2", "--force"}).exit_code, 0);
    EXPECT_FALSE(std::filesystem::exists(folder_ / "small.gguf.pshard-tmp"));
}

}  // namespace
}  // namespace pshard::test
