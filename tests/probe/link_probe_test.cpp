#include "probe/link_probe.h"
#include "build_paths.h"
#include "machine/host_memory.h"
#include "probe/copy_timing.h"
#include "probe/launch_probe.h"
#include "probe/page_lock_probe.h"
#include "support/test_gpu.h"
#include "support/testing.h"

namespace pshard {
namespace {

constexpr SamplePolicy kQuick{3, 5, 0.01, 0.10};

ggml_backend_dev_t test_cpu() {
    load_ggml_backends(PSHARD_LLAMA_BIN_DIR);
    return find_cpu().value();
}

LinkProbeOptions quick_options() {
    LinkProbeOptions options;
    options.host_bytes = 32 * kMiB;
    options.policy = kQuick;
    return options;
}

TEST(LinkProbe, MeasuresAGpuAndLeavesOutWhatItHasNot) {
    PSHARD_NEEDS_GPU();
    const auto probe = test::value_of(probe_link(find_gpu("").value(), quick_options()));
    const LinkProfile& link = probe.link;
    EXPECT_GT(link.standalone_gb_per_s.value_or(0), 0);
    EXPECT_GT(link.d2h_gb_per_s.value_or(0), 0);
    EXPECT_GT(link.pageable_gb_per_s.value_or(0), 0);
    EXPECT_GT(link.duplex_gb_per_s.value_or(0), 0);
    EXPECT_GT(link.under_gpu_gb_per_s.value_or(0), 0);
    EXPECT_GT(link.event_us.value_or(0), 0);
    EXPECT_TRUE(link.copy_setup_us.has_value());
    EXPECT_TRUE(link.engine_switch_us.has_value());
    // 0.5, 2 and 8 MB; two of 32 MB do not fit into 32 MiB. 64 KiB, 1 and 16 MiB, of two kinds.
    ASSERT_EQ(link.sliced.size(), 3u);
    EXPECT_EQ(link.sliced.front().slice_mb, 0.5);
    ASSERT_EQ(link.copies.size(), 6u);
    EXPECT_EQ(link.copies.front().source, CopySource::Pinned);
    EXPECT_DOUBLE_EQ(link.copies.front().mb, 0.065536);
    EXPECT_EQ(link.copies.back().source, CopySource::Pageable);
    // Unknown is absent, never 0, and a note says why.
    EXPECT_FALSE(link.registered_gb_per_s.has_value());
    EXPECT_FALSE(link.register_s_per_gib.has_value());
    EXPECT_FALSE(link.page_lock_ceiling_gb.has_value());
    EXPECT_EQ(probe.notes, std::vector<std::string>{"Vulkan cannot page-lock memory in place"});
}

TEST(LinkProbe, StopsWhenAsked) {
    PSHARD_NEEDS_GPU();
    LinkProbeOptions options = quick_options();
    std::vector<double> shares;
    options.on_progress = [&](const std::string&, double share) { shares.push_back(share); };
    options.wants_stop = [&] { return shares.size() >= 3; };
    const auto probe = test::value_of(probe_link(find_gpu("").value(), options));
    EXPECT_TRUE(probe.link.standalone_gb_per_s.has_value());
    EXPECT_FALSE(probe.link.copy_setup_us.has_value());
    EXPECT_FALSE(probe.link.duplex_gb_per_s.has_value());
    EXPECT_EQ(shares.size(), 3u);
    EXPECT_TRUE(std::is_sorted(shares.begin(), shares.end()));
}

TEST(LinkProbe, MayStopBeforeItBegins) {
    LinkProbeOptions options = quick_options();
    options.wants_stop = [] { return true; };
    const auto probe = test::value_of(probe_link(test_cpu(), options));
    EXPECT_EQ(probe.link, LinkProfile{});
}

// The CPU as its own device: it has neither pinned memory nor events, and copies all the same.
TEST(LinkProbe, TakesAnyDevice) {
    const auto probe = test::value_of(probe_link(test_cpu(), quick_options()));
    const LinkProfile& link = probe.link;
    EXPECT_FALSE(link.standalone_gb_per_s.has_value());
    EXPECT_FALSE(link.event_us.has_value());
    EXPECT_GT(link.pageable_gb_per_s.value_or(0), 0);
    EXPECT_GT(link.under_gpu_gb_per_s.value_or(0), 0);
}

// Slices take as long as copies of their size do; more is a copy that was not counted, or counted
// twice. The CPU copies at once, so nothing overlaps.
TEST(CopyTiming, SlicesAndCopiesAgree) {
    Result<CopyQueue> queue = CopyQueue::open(test_cpu(), 64 * kMiB, 64 * kMiB);
    const auto host = HostBlock::make(CopySource::Pageable, test_cpu(), 64 * kMiB);
    ASSERT_TRUE(queue.ok() && host.ok());
    const CopyBench bench{queue.value(), host.value(), SamplePolicy{15, 15, 0.1, 0.1}};
    const double slices = slice_rate(bench, 2'000'000);
    const double copies = copy_rate(bench, Way::Up, 2'000'000);
    EXPECT_GT(slices, copies / 10);  // a loaded machine is no fault
    EXPECT_LT(slices, copies * 10);
}

TEST(LaunchProbe, CountsNodesAndGraphsOnTheCpu) {
    const auto costs = test::value_of(measure_launches(test_cpu(), 1, kQuick));
    EXPECT_GT(costs.node, 0);
    EXPECT_LT(costs.node, 10e-3);
    // Absent where many graphs took no longer than one, as happens on a loaded machine.
    EXPECT_GT(costs.graph.value_or(1e-6), 0);
}

TEST(LaunchProbe, CountsNodesAndGraphsOnAGpu) {
    PSHARD_NEEDS_GPU();
    const auto costs = test::value_of(measure_launches(find_gpu("").value(), 1, kQuick));
    EXPECT_GT(costs.node, 0);
    EXPECT_LT(costs.node, 10e-3);
}

TEST(PageLockProbe, KnowsWhatTheHostCanGive) {
    EXPECT_GT(available_host_memory(), 64 * kMiB);
    EXPECT_LT(available_host_memory(), Bytes{1} << 48U);
}

TEST(PageLockProbe, SaysThatADeviceCannot) {
    const auto costs = probe_page_lock(test_cpu(), kMiB, 4 * kMiB);
    ASSERT_FALSE(costs.ok());
    EXPECT_EQ(costs.error().message, "CPU cannot page-lock memory in place");
}

}  // namespace
}  // namespace pshard
