// The parts of the device that know nothing of ggml. Timing is held against lower bounds only.
#include "simgpu/copy_engine.h"
#include "simgpu/device_memory.h"
#include "simgpu/host_ranges.h"
#include "simgpu/settings.h"
#include "simgpu/throttle.h"
#include "support/testing.h"

namespace pshard::simgpu {
namespace {

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

TEST(Settings, HasDefaults) {
    const char* none[] = {"PATH=/bin", nullptr};
    const ParsedSettings parsed = read_settings(none);
    EXPECT_EQ(parsed.problem, "");
    EXPECT_EQ(parsed.settings.memory_bytes, 1024ULL << 20U);
    EXPECT_EQ(parsed.settings.pageable_share, 0.4);
    EXPECT_EQ(parsed.settings.on_fault, OnFault::Abort);
}

TEST(Settings, ReadsEachVariable) {
    const char* all[] = {"SIMGPU_MEMORY_MIB=64",
                         "SIMGPU_CONTEXT_MIB=3",
                         "SIMGPU_KERNELS_MIB=0.5",
                         "SIMGPU_LOCKABLE_MIB=2",
                         "SIMGPU_H2D_GBPS=12.5",
                         "SIMGPU_D2H_GBPS=11",
                         "SIMGPU_PAGEABLE_SHARE=0.5",
                         "SIMGPU_GFLOPS=100",
                         "SIMGPU_GBPS=300",
                         "SIMGPU_LAUNCH_US=3",
                         "SIMGPU_CHECK=count",
                         nullptr};
    const auto [settings, problem] = read_settings(all);
    EXPECT_EQ(problem, "");
    EXPECT_EQ(settings.memory_bytes, 64ULL << 20U);
    EXPECT_EQ(settings.context_bytes, 3U << 20U);
    EXPECT_EQ(settings.kernel_bytes, 512U << 10U);
    EXPECT_EQ(settings.lockable_bytes, 2ULL << 20U);
    EXPECT_EQ(settings.h2d_gbps, 12.5);
    EXPECT_EQ(settings.d2h_gbps, 11);
    EXPECT_EQ(settings.pageable_share, 0.5);
    EXPECT_EQ(settings.gflops, 100);
    EXPECT_EQ(settings.gbps, 300);
    EXPECT_EQ(settings.launch_us, 3);
    EXPECT_EQ(settings.on_fault, OnFault::Count);
}

TEST(Settings, RefusesWhatIsNoNumber) {
    for (const char* bad :
         {"SIMGPU_GBPS=fast", "SIMGPU_GBPS=", "SIMGPU_GBPS=-1", "SIMGPU_CHECK=2"}) {
        const char* environment[] = {bad, nullptr};
        EXPECT_NE(read_settings(environment).problem, "") << bad;
    }
}

// 1e9 bytes a second: a GB is a second.
TEST(Throttle, PiecesGoOneAfterAnother) {
    Throttle throttle(1);
    const Clock::time_point start{};
    EXPECT_EQ(throttle.through(start, 1000000000), start + seconds(1));
    EXPECT_EQ(throttle.through(start, 2000000000), start + seconds(3));
    EXPECT_EQ(throttle.through(start + seconds(10), 1000000000), start + seconds(11));
}

TEST(Throttle, NoRateIsNoBound) {
    Throttle throttle(0);
    const Clock::time_point start{};
    EXPECT_EQ(throttle.through(start, 1ULL << 40U), start);
}

TEST(CopyEngine, CopiesAllBytes) {
    CopyEngine engine(0);
    std::vector<std::byte> from(3 * CopyEngine::kChunk + 17);
    for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<std::byte>(i * 7 % 251);
    std::vector<std::byte> to(from.size());
    engine.copy({to.data(), from.data(), from.size()});
    EXPECT_EQ(to, from);
    EXPECT_EQ(engine.bytes_copied(), from.size());
}

// 2 MiB at 0.1 GB/s: 21 ms; at half the rate 42 ms.
TEST(CopyEngine, IsNoFasterThanItsLink) {
    const std::vector<std::byte> from(2 * CopyEngine::kChunk);
    std::vector<std::byte> to(from.size());
    const Copy copy{to.data(), from.data(), from.size()};
    CopyEngine engine(0.1);
    Clock::time_point start = Clock::now();
    engine.copy(copy);
    EXPECT_GE(seconds_since(start), 0.0209);
    start = Clock::now();
    engine.copy_slowly(copy, 0.5);
    EXPECT_GE(seconds_since(start), 0.0419);
}

// Two callers, 2 MiB each, one link of 0.1 GB/s: 42 ms until both are served.
TEST(CopyEngine, CallersShareTheLink) {
    const std::vector<std::byte> from(2 * CopyEngine::kChunk);
    std::vector<std::byte> to(from.size());
    std::vector<std::byte> other(from.size());
    CopyEngine engine(0.1);
    const Clock::time_point start = Clock::now();
    std::thread second([&] { engine.copy({other.data(), from.data(), from.size()}); });
    engine.copy({to.data(), from.data(), from.size()});
    second.join();
    EXPECT_GE(seconds_since(start), 0.0419);
}

TEST(HostRanges, KnowsWhatIsLocked) {
    HostRanges ranges;
    std::byte memory[300] = {};
    EXPECT_FALSE(ranges.pinned(memory, 1));
    EXPECT_TRUE(ranges.add(memory, 100, HostRanges::Kind::Pinned));
    EXPECT_TRUE(ranges.pinned(memory, 100));
    EXPECT_TRUE(ranges.pinned(memory + 99, 1));
    EXPECT_FALSE(ranges.pinned(memory + 99, 2));
    EXPECT_TRUE(ranges.add(memory + 100, 100, HostRanges::Kind::Pinned));
    EXPECT_FALSE(ranges.pinned(memory + 99, 2)) << "across the border of two locks";
    EXPECT_FALSE(ranges.add(memory + 50, 10, HostRanges::Kind::Pinned)) << "locked already";
    EXPECT_FALSE(ranges.add(memory + 150, 100, HostRanges::Kind::Pinned)) << "locked in part";
    EXPECT_FALSE(ranges.add(memory + 250, 0, HostRanges::Kind::Pinned));
    ranges.remove(memory);
    EXPECT_FALSE(ranges.pinned(memory, 1));
    EXPECT_TRUE(ranges.pinned(memory + 100, 100));
}

TEST(DeviceMemory, HasSoManyBytesAndNoMore) {
    DeviceMemory memory(1000);
    std::byte* first = memory.allocate(600);
    ASSERT_NE(first, nullptr);
    EXPECT_EQ(memory.allocate(401), nullptr);
    std::byte* second = memory.allocate(400);
    ASSERT_NE(second, nullptr);
    EXPECT_EQ(memory.free_bytes(), 0u);
    memory.release(first);
    EXPECT_EQ(memory.free_bytes(), 600u);
    EXPECT_EQ(memory.peak_bytes(), 1000u);
    EXPECT_EQ(memory.total_bytes(), 1000u);
}

TEST(DeviceMemory, IsPoisoned) {
    DeviceMemory memory(100);
    const std::byte* data = memory.allocate(100);
    for (int i = 0; i < 100; ++i) ASSERT_EQ(data[i], std::byte{0xff});
}

}  // namespace
}  // namespace pshard::simgpu
