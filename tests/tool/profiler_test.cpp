// llama-profiler-cpu and llama-profiler-gpu: what they refuse, and short runs on the CPU.
#include <chrono>

#include <nlohmann/json.hpp>

#include "models/shapes.h"
#include "support/testing.h"
#include "tool/run_profiler.h"

namespace pshard::profiler_test {
namespace {

TEST_F(ProfilerTest, RefusesBadFlags) {
    expect_refused(run(kCpu, "--bogus"), "--bogus");
    expect_refused(run(kGpu, "--fast --full"), "--fast excludes --full");
    expect_refused(run(kCpu, "--threads 0"), "--threads: '0' is no whole number from 1 to 4096\n");
    expect_refused(run(kGpu, "--threads 2"), "--threads");
    for (const std::string limit : {"0", "inf", "soon"}) {
        expect_refused(run(kCpu, "--time-limit " + limit),
                       "--time-limit: '" + limit + "' is no number of seconds above 0\n");
    }
    expect_refused(run(kCpu, "-o xml"), "xml");
    expect_refused(run(kCpu, "--batch 77"), "no op of the list has a batch of 77 tokens");
    expect_refused(run(kCpu, "--model a.gguf --inventory b"), "excludes");
    expect_refused(run(kCpu, "--inventory nowhere.txt"), "there is no such inventory");
}

TEST_F(ProfilerTest, NeedsAGpuForAGpu) {
    expect_refused(run(kGpu, ""), "ggml has no GPU here");
    expect_refused(run(kCpu, "--device CUDA7"), "ggml has no GPU 'CUDA7' here; it has: none");
}

TEST_F(ProfilerTest, NamesTheGpusThatThereAre) {
    PSHARD_NEEDS_GPU();
    give_gpu();
    expect_refused(run(kGpu, "--device CUDA7"), "ggml has no GPU 'CUDA7' here; it has: Vulkan0");
}

// Found out before a minute of measuring, not after it.
TEST_F(ProfilerTest, RefusesAnOutputThatCannotBeWritten) {
    const auto begin = std::chrono::steady_clock::now();
    expect_refused(run(kCpu, "--output nowhere/p.txt"), "nowhere");
    expect_refused(run(kCpu, "--output /dev/null"), "/dev/null");
    expect_refused(run(kGpu, fmt::format("--output '{}'", folder_.string())), folder_);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    EXPECT_LT(took.count(), 50);
}

TEST_F(ProfilerTest, ReplacesNothingButAProfile) {
    std::ofstream(here() / "model.gguf") << "GGUF is dear";
    const Ran ran = run(kCpu, "--output model.gguf");
    EXPECT_EQ(ran.exit_code, 1);
    EXPECT_THAT(ran.err, HasSubstr("exists and is no profile"));
    EXPECT_EQ(text_in(here() / "model.gguf"), "GGUF is dear");
    EXPECT_EQ(files(), std::set<std::string>{"model.gguf"});
}

// Two at once take turns: the second measures when the first has written. Here a lock that is held
// until the profiler has said that it waits, at most 20 s.
TEST_F(ProfilerTest, WaitsForAnotherThatWritesTheSameFile) {
    const std::string until_said = fmt::format(
        "flock $0.pshard-tmp sh -c \"for i in \\$(seq 200); do grep -q waiting {} && break; "
        "sleep 0.1; done\" & sleep 0.3; \"$@\"; code=$?; wait; exit $code",
        (folder_ / "err").string());
    const Ran ran = run(kCpu,
                        "--threads 1 --batch 1 --time-limit 1",
                        fmt::format("sh -c '{}' cpu_profile.txt", until_said));
    EXPECT_EQ(ran.exit_code, 0) << ran.err;
    EXPECT_THAT(ran.err,
                HasSubstr("waiting to write cpu_profile.txt, which another process is writing"));
    EXPECT_EQ(files(), std::set<std::string>{"cpu_profile.txt"});
}

TEST_F(ProfilerTest, ListsDevices) {
    EXPECT_THAT(run(kCpu, "--list-devices").out, HasSubstr("CPU "));
    EXPECT_THAT(files(), IsEmpty());
}

TEST_F(ProfilerTest, ListsAGpu) {
    PSHARD_NEEDS_GPU();
    give_gpu();
    const Ran ran = run(kGpu, "--list-devices -o json");
    ASSERT_EQ(ran.exit_code, 0) << ran.err;
    const auto devices = nlohmann::json::parse(ran.out);
    ASSERT_EQ(devices.size(), 2u);
    EXPECT_EQ(devices[0]["name"], "CPU");
    EXPECT_EQ(devices[1]["name"], "Vulkan0");
    EXPECT_EQ(devices[1]["gpu"], true);
}

TEST_F(ProfilerTest, MeasuresACpuAlone) {
    const Ran ran = run(kCpu, "--threads 1 --batch 1 --time-limit 3");
    ASSERT_EQ(ran.exit_code, 0) << ran.err;
    EXPECT_THAT(ran.out, HasSubstr("no GPU: the link was not measured"));
    EXPECT_EQ(files(), std::set<std::string>{"cpu_profile.txt"});
    const MachineProfile read = profile();
    ASSERT_TRUE(read.cpu.has_value());
    EXPECT_EQ(read.cpu->n_threads, 1);
    EXPECT_GT(read.cpu->dram_gb_per_s.value_or(0), 0);
    EXPECT_TRUE(read.cpu->launch_us.has_value());
    ASSERT_THAT(read.cpu->rows, Not(IsEmpty()));
    for (const OpRow& row : read.cpu->rows) {
        const bool is_matmul = row.op.starts_with("MUL_MAT");  // of experts n_tokens counts others
        EXPECT_EQ(is_matmul ? row.batch : row.n_tokens, 1) << row.op;
    }
    EXPECT_EQ(read.link, LinkProfile{});
    EXPECT_THAT(read.source, HasSubstr("llama-profiler-cpu"));
    EXPECT_THAT(read.date, MatchesRegex("20..-..-..T..:..:..Z"));
    EXPECT_THAT(read.ggml_version, HasSubstr("0.25.1"));
    EXPECT_FALSE(read.os_name.empty());
}

// All matmuls of the file are of the model: its width is 64 in no list of ours.
TEST_F(ProfilerTest, MeasuresWhatAModelHolds) {
    const ModelShape shape = test::value_of(find_tiny_shape("llama"));
    const auto model = write_sparse(shape, "Q8_0", folder_ / "tiny.gguf");
    ASSERT_TRUE(model.ok());
    const std::string arguments = fmt::format("--threads 1 --batch 1 --batch 16 --model '{}'",
                                              (folder_ / "tiny.gguf").string());
    const Ran ran = run(kCpu, arguments);
    ASSERT_EQ(ran.exit_code, 0) << ran.err;
    std::set<std::int64_t> batches;
    std::set<std::string> quants;
    const MachineProfile read = profile();
    for (const OpRow& row : read.cpu->rows) {
        if (row.op != "MUL_MAT") continue;
        batches.insert(row.batch);
        quants.insert(row.quant);
    }
    EXPECT_EQ(batches, (std::set<std::int64_t>{1, 16}));
    EXPECT_EQ(quants, std::set<std::string>{"q8_0"});
}

TEST_F(ProfilerTest, LeavesTheOldFileWhenStopped) {
    const std::string old = "# GPU Profiling (backend=Old0)\n";
    for (const std::string signal : {"INT", "TERM"}) {
        std::ofstream(here() / "cpu_profile.txt") << old;
        const Ran ran = run(kCpu, "--threads 1", "timeout --signal=" + signal + " 2");
        EXPECT_EQ(ran.exit_code, 124) << ran.err;  // timeout's own
        EXPECT_THAT(ran.err, HasSubstr("stopped; cpu_profile.txt stays as it was"));
        EXPECT_EQ(text_in(here() / "cpu_profile.txt"), old);
        EXPECT_EQ(files(), std::set<std::string>{"cpu_profile.txt"});
    }
    const Ran kept = run(kCpu, "--threads 1", "timeout --preserve-status --signal=INT 2");
    EXPECT_EQ(kept.exit_code, 130);
    const Ran twice =
        run(kCpu,
            "--threads 1",
            "sh -c '\"$@\" & sleep 1; kill -INT $!; sleep 0.4; kill -INT $!; wait $!' sh");
    EXPECT_EQ(twice.exit_code, 130) << twice.err;
    EXPECT_EQ(files(), std::set<std::string>{"cpu_profile.txt"});
}

}  // namespace
}  // namespace pshard::profiler_test
