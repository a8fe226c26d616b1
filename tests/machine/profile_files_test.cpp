// Profiles as files: cut off, without rows, taken for each other, missing.
#include <sys/stat.h>
#include <filesystem>
#include <fstream>

#include "base/temp_folder.h"
#include "machine/profile_text.h"
#include "machine/quant.h"
#include "support/machines.h"
#include "support/testing.h"

namespace pshard {
namespace {

constexpr const char* kCpuHeader =
    "# Concurrent Profiling (threads=8, batch_sizes=[1])\n"
    "#   Threads=8: DRAM_BW=45.7 GB/s\n";
constexpr const char* kCpuRow = "MUL_MAT q4_0 8 3.5 40 142 9.2 120 33 4096 4096 1 0 0 0 0 0\n";
constexpr const char* kGpuHeader = "# GPU Profiling (backend=CUDA0, batch_sizes=[1])\n";
constexpr const char* kGpuRow = "MUL_MAT q4_0 3.5 700 2480 110 4096 4096 1 0 0 0 0 0\n";
const std::string kSkippedCpuRow = "MUL_MAT q4_0 8 0 0 0 9.2 0 0 4096 4096 1 0 0 0 0 0\n";
const std::string kSkippedGpuRow = "MUL_MAT q4_0 0 0 0 9.2 4096 4096 1 0 0 0 0 0\n";

Result<MachineProfile> from_cpu(const std::string& text) {
    return profile_from_text({text, std::nullopt});
}

Result<MachineProfile> from_gpu(const std::string& text) {
    return profile_from_text({std::nullopt, text});
}

// The first n lines.
std::string head(const std::string& text, std::size_t n) {
    std::size_t end = 0;
    for (; n > 0; n--) end = text.find('\n', end) + 1;
    return text.substr(0, end);
}

// Of every cut below the header: what the error is.
void expect_cuts_refused(const std::string& text, std::size_t n_rows, bool is_cpu) {
    const auto n_lines = std::size_t(std::ranges::count(text, '\n'));
    for (std::size_t n = 0; n < n_rows; n++) {
        const std::string cut = head(text, n_lines - n_rows + n);
        const auto read = is_cpu ? from_cpu(cut) : from_gpu(cut);
        ASSERT_FALSE(read.ok()) << n;
        EXPECT_EQ(read.error().text(),
                  (is_cpu ? "cpu_profile.txt" : "gpu_profile.txt") +
                      (": cut off: " + std::to_string(n)) + " of " + std::to_string(n_rows) +
                      " rows are there; profile again");
    }
}

TEST(CutOffProfile, IsRefused) {
    const MachineProfile whole = testing_support::reference_profile();
    const ProfileTexts texts = to_text(whole);
    expect_cuts_refused(*texts.cpu, whole.cpu->rows.size(), true);
    expect_cuts_refused(*texts.gpu, whole.gpu->rows.size(), false);
}

// Those of skipped benchmarks and of other thread counts are rows of the file, too.
TEST(CutOffProfile, IsToldByAllRowsOfTheFile) {
    const std::string others = "MUL_MAT q4_0 4 3.5 30 99 9.2 0 0 4096 4096 1 0 0 0 0 0\n";
    const std::string rows = kCpuRow + kSkippedCpuRow + others;
    EXPECT_TRUE(from_cpu(kCpuHeader + ("# pshard rows=3\n" + rows)).ok());
    EXPECT_FALSE(from_cpu(kCpuHeader + ("# pshard rows=4\n" + rows)).ok());
    EXPECT_TRUE(from_cpu(kCpuHeader + ("# pshard rows=2\n" + rows)).ok());  // one was added
    EXPECT_TRUE(from_gpu(kGpuHeader + ("# pshard rows=2\n" + kSkippedGpuRow) + kGpuRow).ok());
}

class TwoProfileFiles : public testing::Test {
protected:
    std::string error(const std::string& cpu, const std::string& gpu) {
        std::ofstream(names_.cpu) << cpu;
        std::ofstream(names_.gpu) << gpu;
        const auto read = read_profile_files(names_);
        return read.ok() ? "" : read.error().text();
    }

    const test::TempFolder folder_;
    const ProfileNames names_{folder_.file("cpu_profile.txt"), folder_.file("gpu_profile.txt")};
};

// Published files do not say how many rows they have.
TEST_F(TwoProfileFiles, HaveARow) {
    const std::string none = ": no row of an op is there, so it can price nothing; profile again";
    const std::string cpu = kCpuHeader;
    const std::string gpu = kGpuHeader;
    EXPECT_EQ(error(cpu + kCpuRow, gpu + kGpuRow), "");
    EXPECT_EQ(error(cpu, gpu + kGpuRow), names_.cpu + none);
    EXPECT_EQ(error(cpu + kCpuRow, gpu), names_.gpu + none);
    EXPECT_EQ(error(cpu + kCpuRow, gpu + kSkippedGpuRow), names_.gpu + none);
}

TEST_F(TwoProfileFiles, AreNotTakenForEachOther) {
    const std::string cpu = std::string(kCpuHeader) + kCpuRow;
    const std::string gpu = std::string(kGpuHeader) + kGpuRow;
    EXPECT_EQ(
        error(cpu, cpu),
        names_.gpu + ": this is a CPU profile; --gpu-profile wants that of llama-profiler-gpu");
    EXPECT_EQ(
        error(gpu, gpu),
        names_.cpu + ": this is a GPU profile; --cpu-profile wants that of llama-profiler-cpu");
}

TEST(ReadProfileFiles, TakesAMissingFileAsUnknown) {
    const auto p = read_profile_files({"/nonexistent/cpu", "/nonexistent/gpu"}).value();
    EXPECT_EQ(p, MachineProfile{});
}

TEST(ReadProfileFiles, NamesTheFileInItsError) {
    const std::string path = testing::TempDir() + "bad_cpu_profile.txt";
    std::ofstream(path) << "MUL_MAT\n";
    const auto p = read_profile_files({path, "/nonexistent/gpu"});
    ASSERT_FALSE(p.ok());
    EXPECT_EQ(p.error().place.file, path);
    std::filesystem::remove(path);
}

// A pipe would make the reader wait for a writer for ever.
TEST(ReadProfileFiles, RefusesAllButRegularFiles) {
    const std::string pipe = testing::TempDir() + "profile_pipe";
    std::filesystem::remove(pipe);
    ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
    for (const std::string& path : {pipe, testing::TempDir(), std::string("/dev/zero")}) {
        const auto p = read_profile_files({"/nonexistent/cpu", path});
        ASSERT_FALSE(p.ok()) << path;
        EXPECT_EQ(p.error().text(), path + ": this is not a file");
    }
    std::filesystem::remove(pipe);
}

TEST(BitsPerWeight, CountsBlockScales) {
    EXPECT_EQ(bits_per_weight("f32"), 32.0);
    EXPECT_EQ(bits_per_weight("q4_0"), 4.5);     // 18 bytes for 32
    EXPECT_EQ(bits_per_weight("q6_K"), 6.5625);  // 210 bytes for 256
    EXPECT_EQ(bits_per_weight("mxfp4"), 4.25);   // 17 bytes for 32
    EXPECT_EQ(bits_per_weight("q9_Z"), std::nullopt);
}

TEST(CodebookQuants, AreTheSmallIqTypes) {
    EXPECT_TRUE(is_codebook_quant("iq2_xxs"));
    EXPECT_TRUE(is_codebook_quant("iq3_s"));
    EXPECT_FALSE(is_codebook_quant("iq4_xs"));
    EXPECT_FALSE(is_codebook_quant("q2_K"));
}

}  // namespace
}  // namespace pshard
