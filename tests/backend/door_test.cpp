// libggml-pshard.so in hosts that load ggml in other ways than llama.cpp's own programs do.
#include <filesystem>

#include <gmock/gmock.h>

#include "backend/harness/expect.h"
#include "base/temp_folder.h"
#include "build_paths.h"

namespace pshard::backend_test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

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

TEST(Door, OpensWhereGgmlIsLoadedForItsHostAlone) {
    PSHARD_NEEDS_PLUGIN();
    const ChildResult host =
        local_host({in_llama("libggml.so"), in_llama("libggml-cpu.so"), PSHARD_PLUGIN_PATH});
    EXPECT_EQ(host.exit_code, 0) << host.text();
    EXPECT_THAT(host.err, HasSubstr("PSHARD0 computes on CPU"));
}

// Without the door the core finds no ggml there.
TEST(Door, TheCoreAloneIsNoBackend) {
    PSHARD_NEEDS_PLUGIN();
    const std::string core =
        std::filesystem::path(PSHARD_PLUGIN_PATH).replace_filename("libggml-pshard-core.so");
    ASSERT_TRUE(std::filesystem::exists(core));
    EXPECT_EQ(local_host({in_llama("libggml.so"), core}).exit_code, 1);
}

TEST(Door, RefusesAnotherRelease) {
    PSHARD_NEEDS_PLUGIN();
    const ChildResult host = local_host({PSHARD_FAKE_GGML_NEWER, PSHARD_PLUGIN_PATH});
    EXPECT_EQ(host.exit_code, 1) << host.text();
    EXPECT_THAT(host.err,
                HasSubstr("this program has ggml 0.99.0, libggml-pshard.so is built for 0.25.1 "
                          "(llama.cpp v0.5.0); use the two of one release"));
}

TEST(Door, RefusesAReleaseThatDoesNotTellWhich) {
    PSHARD_NEEDS_PLUGIN();
    const ChildResult host = local_host({PSHARD_FAKE_GGML_OLD, PSHARD_PLUGIN_PATH});
    EXPECT_EQ(host.exit_code, 1) << host.text();
    EXPECT_THAT(host.err, HasSubstr("this program has ggml of an old release, "));
}

TEST(Door, RefusesAProgramThatHidesItsGgml) {
    PSHARD_NEEDS_PLUGIN();
    const ChildResult host = local_host({PSHARD_FAKE_GGML_NONE, PSHARD_PLUGIN_PATH});
    EXPECT_EQ(host.exit_code, 1) << host.text();
    EXPECT_THAT(host.err, HasSubstr("needs a build of llama.cpp v0.5.0 with shared libraries"));
}

// The core would call the other one.
TEST(Door, RefusesToServeOneOfTwoGgmls) {
    PSHARD_NEEDS_PLUGIN();
    const ChildResult host = local_host({"--first",
                                         PSHARD_FAKE_GGML_NEWER,
                                         in_llama("libggml.so"),
                                         in_llama("libggml-cpu.so"),
                                         PSHARD_PLUGIN_PATH});
    EXPECT_EQ(host.exit_code, 1) << host.text();
    EXPECT_THAT(host.err, HasSubstr("another ggml in this process"));
}

// A moved door says what it misses.
TEST(Door, NamesAMissingCore) {
    PSHARD_NEEDS_PLUGIN();
    const test::TempFolder folder;
    const std::string door = folder.file("libggml-pshard.so");
    std::filesystem::copy_file(PSHARD_PLUGIN_PATH, door);
    const ChildResult host = local_host({in_llama("libggml.so"), in_llama("libggml-cpu.so"), door});
    EXPECT_EQ(host.exit_code, 1) << host.text();
    EXPECT_THAT(host.err,
                AllOf(HasSubstr("pshard: the backend cannot be loaded: "),
                      HasSubstr(folder.file("libggml-pshard-core.so"))));
}

}  // namespace
}  // namespace pshard::backend_test
