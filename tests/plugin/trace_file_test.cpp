// PSHARD_TRACE where it names no file.
#include "plugin/trace_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/descriptor.h"
#include "base/temp_folder.h"
#include "support/testing.h"

namespace pshard {
namespace {

class TracePipe : public testing::Test {
protected:
    void SetUp() override { ASSERT_EQ(mkfifo(pipe_.c_str(), 0600), 0); }

    [[nodiscard]] auto open() {
        return open_trace(pipe_, "a GPU", [this](std::string_view line) { log_ += line; });
    }

    const test::TempFolder folder_;
    const std::string pipe_ = folder_.file("pipe");
    std::string log_;
};

// Opening it waited for a reader, and the host with it.
TEST_F(TracePipe, ThatNobodyReadsIsRefused) {
    EXPECT_EQ(open().error().text(),
              "PSHARD_TRACE: " + pipe_ +
                  " is a pipe that nobody reads; start its reader first, or name a file");
}

// SIGPIPE would end the host.
TEST_F(TracePipe, WhoseReaderGoesEndsTheTrace) {
    Descriptor reader(::open(pipe_.c_str(), O_RDONLY | O_NONBLOCK));
    const auto trace = test::value_of(open());
    std::string begin(10, '\0');
    EXPECT_EQ(::read(reader.get(), begin.data(), begin.size()), 10);
    reader = Descriptor();
    const Schedule schedule;
    const std::vector<StepLabel> labels;
    const MeasuredPass measured;
    const std::string words;
    trace({1, {1}, words, words, schedule, labels, measured});
    EXPECT_EQ(log_, "PSHARD_TRACE: " + pipe_ + " cannot be written any more: Broken pipe");
}

TEST_F(TracePipe, AFileIsMadeAnew) {
    const std::string path = folder_.file("trace");
    test::put_text(path, "[{\"format\":\"pshard-trace\"" + std::string(9999, ' '));
    EXPECT_TRUE(open_trace(path, "a GPU", {}).ok());
    EXPECT_THAT(test::text_in(path), HasSubstr("\"device\":\"a GPU\""));
    EXPECT_LT(test::text_in(path).size(), 5000U);
}

}  // namespace
}  // namespace pshard
