// What is uploaded again and again lies in memory that CUDA copies from directly, whatever the
// driver locks, and in host memory once: a llama of 16 layers and 0.7 GB, streamed at 200 MiB.
#include <regex>

#include "base/temp_folder.h"
#include "fakecuda/host_cells.h"
#include "models/shapes.h"
#include "support/sanitizer.h"
#include "support/testing.h"

namespace pshard::backend_test {
namespace {

using ::testing::HasSubstr;

constexpr double kMiB = 1 << 20;

// "600 of 700 MiB that are uploaded again and again are page-locked".
struct Told {
    double locked = -1;
    double wanted = -1;
};

Told told(const HostResult& result) {
    static const std::regex line("pshard: ([0-9]+) of ([0-9]+) MiB that are uploaded again");
    std::smatch found;
    if (!std::regex_search(result.child.err, found, line)) return {};
    return {std::stod(found[1]), std::stod(found[2])};
}

class StreamedLlama : public testing::TestWithParam<const char*> {
protected:
    void SetUp() override {
        if (!host_cells_missing().empty()) GTEST_SKIP() << host_cells_missing();
        PSHARD_TOO_SLOW_SANITIZED();
        const Result<ModelShape> shape = resized(find_tiny_shape("llama").value(),
                                                 {.n_layer = 16, .n_embd = 2048, .n_ff = 5376});
        const Result<WrittenModel> written =
            write_sparse(shape.value(), "Q8_0", folder_.file("llama.gguf"));
        ASSERT_TRUE(written.ok());
        mib_ = static_cast<double>(written.value().bytes) / kMiB;
    }

    HostResult run(const Environment& more = {}) const {
        Environment environment = {{"PSHARD_MAX_VRAM_ALLOC", "200"}};
        for (const auto& [name, value] : more) environment[name] = value;
        return run_host_cell({.arch = "llama",
                              .plan = "stream-all",
                              .load_mode = GetParam(),
                              .file = folder_.file("llama.gguf")},
                             environment);
    }

    // Nothing but inputs comes from elsewhere.
    static void expect_locked_bytes(const HostResult& result) {
        const double locked = result.decode.at("bytes_up_locked");
        EXPECT_GT(locked, 500 * kMiB);
        EXPECT_LE(result.decode.at("bytes_up_pageable"), locked / 100);
    }

    test::TempFolder folder_;
    double mib_ = 0;
};

TEST_P(StreamedLlama, IsUploadedFromTheDriversMemoryAndIsInMemoryOnce) {
    const HostResult result = run();
    EXPECT_EQ(result.problem(), "");
    EXPECT_GT(told(result).wanted, 600);
    EXPECT_EQ(told(result).locked, told(result).wanted);
    EXPECT_EQ(result.report.at("locks"), "0");
    expect_locked_bytes(result);
    EXPECT_LT(result.decode.at("peak_mib"), mib_ + 1024);
    EXPECT_LT(result.decode.at("peak_mib"), mib_ + 640);  // the model is smaller than 1 GiB
    EXPECT_LT(result.decode.at("rss_mib"), mib_ + 128);
}

class LimitedLlama : public StreamedLlama {};

TEST_P(LimitedLlama, IsLockedInPlaceWhereTheDriverDoes) {
    const HostResult result = run({{"FAKECUDA_READ_ONLY_LOCKS", "1"}});
    EXPECT_EQ(result.problem(), "");
    EXPECT_EQ(told(result).locked, told(result).wanted);
    EXPECT_NE(result.report.at("locks"), "0");
    expect_locked_bytes(result);
    EXPECT_LT(result.decode.at("rss_mib"), mib_ + 128);
}

// 300 MiB, of which the rings take some: all of it is used but what is less than a weight.
TEST_P(LimitedLlama, IsLockedUpToTheDriversLimit) {
    for (const char* in_place : {"0", "1"}) {
        const HostResult result =
            run({{"FAKECUDA_READ_ONLY_LOCKS", in_place}, {"FAKECUDA_LOCK_MIB", "300"}});
        EXPECT_EQ(result.problem(), "");
        EXPECT_GT(told(result).locked, 150) << in_place;
        EXPECT_LE(told(result).locked, 300) << in_place;
        expect_locked_bytes(result);
    }
}

TEST_P(LimitedLlama, IsLockedUpToTheUsersLimit) {
    const HostResult some = run({{"PSHARD_PAGE_LOCKS", "256"}});
    EXPECT_EQ(some.problem(), "");
    EXPECT_GT(told(some).locked, 256 - 12);
    EXPECT_LE(told(some).locked, 256);
    const HostResult none = run({{"PSHARD_PAGE_LOCKS", "off"}});
    EXPECT_EQ(told(none).locked, 0);
    EXPECT_EQ(none.report.at("refused_locks"), "0");
}

// auto is mmap where the device says that it maps models, but for who asks.
INSTANTIATE_TEST_SUITE_P(LoadModes, StreamedLlama, testing::Values("auto", "mmap", "none"));
INSTANTIATE_TEST_SUITE_P(LoadModes, LimitedLlama, testing::Values("mmap", "none"));

}  // namespace
}  // namespace pshard::backend_test
