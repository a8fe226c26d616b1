// libggml-pshard.so in hosts that load ggml in other ways than llama.cpp's own programs do.
#include <filesystem>

#include "backend/harness/expect.h"
#include "base/temp_folder.h"
#include "build_paths.h"
#include "support/testing.h"

namespace pshard::backend_test {
namespace {

std::string in_llama(const std::string& file) {
    return fmt::format("{}/{}", PSHARD_LLAMA_BIN_DIR, file);
}

// The program of hosts/local_host.cpp with these arguments.
ChildResult local_host(const std::vector<std::string>& arguments) {
    ChildProgram program;
    program.command = {PSHARD_LOCAL_HOST};
    program.with(arguments);
    program.environment = {{"PSHARD_DEVICE", "CPU"}, {"GGML_NO_BACKTRACE", "1"}};
    return run(program);
}

class Door : public testing::Test {
protected:
    void SetUp() override { PSHARD_NEEDS_PLUGIN(); }

    // The host refuses the library, with this sentence.
    static void expect_refused(const std::vector<std::string>& arguments,
                               const std::string& sentence) {
        const ChildResult host = local_host(arguments);
        EXPECT_EQ(host.exit_code, 1) << host.text();
        EXPECT_THAT(host.err, HasSubstr(sentence));
    }
};

TEST_F(Door, OpensWhereGgmlIsLoadedForItsHostAlone) {
    const ChildResult host =
        local_host({in_llama("libggml.so"), in_llama("libggml-cpu.so"), PSHARD_PLUGIN_PATH});
    EXPECT_EQ(host.exit_code, 0) << host.text();
    EXPECT_THAT(host.err, HasSubstr("PSHARD0 computes on CPU"));
}

// Without the door the core finds no ggml there.
TEST_F(Door, TheCoreAloneIsNoBackend) {
    const std::string core =
        std::filesystem::path(PSHARD_PLUGIN_PATH).replace_filename("libggml-pshard-core.so");
    ASSERT_TRUE(std::filesystem::exists(core));
    EXPECT_EQ(local_host({in_llama("libggml.so"), core}).exit_code, 1);
}

TEST_F(Door, RefusesAnotherRelease) {
    expect_refused({PSHARD_FAKE_GGML_NEWER, PSHARD_PLUGIN_PATH},
                   "this program has ggml 0.99.0, libggml-pshard.so is built for 0.25.1 (llama.cpp "
                   "v0.5.0); use the two of one release");
    expect_refused({PSHARD_FAKE_GGML_OLD, PSHARD_PLUGIN_PATH},
                   "this program has ggml of an old release, ");
}

TEST_F(Door, RefusesAProgramThatHidesItsGgml) {
    expect_refused({PSHARD_FAKE_GGML_NONE, PSHARD_PLUGIN_PATH},
                   "needs a build of llama.cpp v0.5.0 with shared libraries");
}

// The core would call the other one.
TEST_F(Door, RefusesToServeOneOfTwoGgmls) {
    const std::vector<std::string> ours = {in_llama("libggml.so"), in_llama("libggml-cpu.so")};
    expect_refused({"--first", PSHARD_FAKE_GGML_NEWER, ours[0], ours[1], PSHARD_PLUGIN_PATH},
                   "another ggml in this process");
}

// A moved door says what it misses.
TEST_F(Door, NamesAMissingCore) {
    const test::TempFolder folder;
    const std::string door = folder.file("libggml-pshard.so");
    std::filesystem::copy_file(PSHARD_PLUGIN_PATH, door);
    expect_refused(
        {in_llama("libggml.so"), in_llama("libggml-cpu.so"), door},
        "pshard: the backend cannot be loaded: " + folder.file("libggml-pshard-core.so"));
}

}  // namespace
}  // namespace pshard::backend_test
