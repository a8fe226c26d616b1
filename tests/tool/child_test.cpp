// Work in a child process: whatever becomes of it is one Error, in time.
#include "common/child.h"

#include <chrono>
#include <csignal>
#include <stdexcept>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

// A tool's sources are part of its program only.
#include "common/child.cpp"
#include "common/log.cpp"
#include "support/testing.h"

namespace pshard::tool {
namespace {

constexpr int kLimitSeconds = 20;

Result<std::string> run_work(std::function<Result<std::string>()> work, int limit = kLimitSeconds) {
    return run_in_child({"reading toy.gguf", std::move(work), limit});
}

TEST(Child, GivesItsTextBack) {
    for (const std::string& text : {std::string(), std::string("E\nline\0end", 10)}) {
        const auto result = run_work([&] { return text; });
        ASSERT_TRUE(result.ok()) << result.error().text();
        EXPECT_EQ(result.value(), text);
    }
}

// Far more than a pipe holds.
TEST(Child, GivesALargeTextBack) {
    const std::string large(50 * std::size_t{1024} * 1024, 'x');
    const auto result = run_work([&] { return large; });
    ASSERT_TRUE(result.ok()) << result.error().text();
    EXPECT_TRUE(result.value() == large);
}

// Lines of progress come before the text, and are no part of it.
TEST(Child, GivesItsTextBackAfterItsProgress) {
    const std::string text("P1 2\nand more");
    const auto result = run_work([&] {
        for (std::size_t done = 1; done <= 30000; ++done) tell_parent(done, 30000);
        return text;
    });
    ASSERT_TRUE(result.ok()) << result.error().text();
    EXPECT_EQ(result.value(), text);
    const auto crashed = run_work([&]() -> Result<std::string> {
        tell_parent(1, 2);
        raise(SIGKILL);
        return text;
    });
    EXPECT_THAT(crashed.error().message, HasSubstr("llama.cpp crashed"));
}

TEST(Child, GivesItsErrorBack) {
    const Error error{"it is\nbroken", {"toy.gguf", 3, 14}};
    const auto result = run_work([&] { return error; });
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error(), error);
}

TEST(Child, ThatCrashesIsNamed) {
    for (const int signal : {SIGSEGV, SIGABRT, SIGFPE, SIGKILL}) {
        const auto result = run_work([&]() -> Result<std::string> {
            std::signal(signal, SIG_DFL);  // sanitizers catch some
            raise(signal);
            return std::string();
        });
        ASSERT_FALSE(result.ok());
        EXPECT_THAT(result.error().message, HasSubstr("reading toy.gguf: llama.cpp crashed ("));
        EXPECT_THAT(result.error().message, HasSubstr(strsignal(signal)));
    }
}

TEST(Child, ThatExitsIsNamed) {
    for (const int code : {0, 1, 7}) {
        const auto result = run_work([&]() -> Result<std::string> { _exit(code); });
        ASSERT_FALSE(result.ok());
        EXPECT_EQ(
            result.error().message,
            fmt::format("reading toy.gguf: llama.cpp ended the process (exit code {})", code));
    }
}

TEST(Child, ThatThrowsIsAnError) {
    const auto result =
        run_work([]() -> Result<std::string> { throw std::runtime_error("no such op"); });
    ASSERT_FALSE(result.ok());
    EXPECT_THAT(result.error().message, HasSubstr("no such op"));
    const auto memory = run_work([]() -> Result<std::string> { throw std::bad_alloc(); });
    ASSERT_FALSE(memory.ok());
    EXPECT_THAT(memory.error().message, HasSubstr("not enough memory"));
}

TEST(Child, ThatHangsIsEnded) {
    const auto begin = std::chrono::steady_clock::now();
    const auto result = run_work(
        []() -> Result<std::string> {
            while (true) pause();
        },
        1);
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().message, "reading toy.gguf: llama.cpp did not finish in 1 seconds");
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "no child is left behind";
}

// What llama.cpp prints goes nowhere.
TEST(Child, PrintsNothing) {
    testing::internal::CaptureStdout();
    const auto result = run_work([]() -> Result<std::string> {
        std::fputs("noise\n", stdout);
        std::fflush(stdout);
        return std::string("text");
    });
    EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
    EXPECT_EQ(result.value(), "text");
}

}  // namespace
}  // namespace pshard::tool
