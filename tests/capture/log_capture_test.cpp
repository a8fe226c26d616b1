#include "capture/log_capture.h"

#include <ggml-impl.h>
#include <ggml.h>
#include <gtest/gtest.h>
#include <llama.h>

#include <string>

namespace pshard {
namespace {

TEST(LogCapture, KeepsTheFirstErrorElseTheLastWarning) {
    LogCapture log;
    EXPECT_EQ(log.complaint(), "");
    GGML_LOG_INFO("some_function: all is well\n");
    EXPECT_EQ(log.complaint(), "");
    GGML_LOG_WARN("some_function: a little strange\n");
    GGML_LOG_WARN("some_function: stranger\n");
    EXPECT_EQ(log.complaint(), "stranger");
    GGML_LOG_ERROR("some_function: tensor 'x: y' is missing\n");
    GGML_LOG_ERROR("other_function: failed to load\n");
    EXPECT_EQ(log.complaint(), "tensor 'x: y' is missing");
}

TEST(LogCapture, LeavesMessagesWithoutPrefixAlone) {
    LogCapture log;
    GGML_LOG_ERROR("no prefix here: but a colon\n");
    EXPECT_EQ(log.complaint(), "no prefix here: but a colon");
}

TEST(LogCapture, ThrowsFailedAssertions) {
    LogCapture log;
    EXPECT_THROW(ggml_abort("ggml.c", 12, "GGML_ASSERT(%s) failed", "a == b"), LlamaAbort);
}

TEST(LogCapture, GivesTheLogBack) {
    std::string heard;
    const auto listen = [](ggml_log_level, const char* text, void* user) {
        *static_cast<std::string*>(user) += text;
    };
    llama_log_set(listen, &heard);
    ggml_log_set(listen, &heard);
    {
        const LogCapture log;
        GGML_LOG_WARN("unheard\n");
    }
    GGML_LOG_WARN("heard\n");
    EXPECT_EQ(heard, "heard\n");
    llama_log_set(nullptr, nullptr);
    ggml_log_set(nullptr, nullptr);
}

}  // namespace
}  // namespace pshard
