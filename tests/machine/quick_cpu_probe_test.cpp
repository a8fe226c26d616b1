#include "machine/quick_cpu_probe.h"

#include <chrono>

#include <gtest/gtest.h>

#include "machine/profile_text.h"

namespace pshard {
namespace {

TEST(QuickProfile, IsMarkedAndStaysUnderWhatWasMeasured) {
    const MachineProfile profile = quick_profile({40.0, 200.0}, 8);
    EXPECT_EQ(profile.provenance, Provenance::Quick);
    EXPECT_FALSE(profile.gpu);
    EXPECT_EQ(profile.link, LinkProfile{});
    EXPECT_EQ(profile.cpu->n_threads, 8);
    ASSERT_FALSE(profile.cpu->rows.empty());
    for (const OpRow& row : profile.cpu->rows) {
        EXPECT_LT(row.gb_per_s, 40.0);
        EXPECT_LT(row.gflops, 200.0);
        EXPECT_GT(row.gflops, 0.0);
    }
}

TEST(QuickProfile, RoundTripsAsText) {
    const MachineProfile profile = quick_profile({41.23456, 199.9}, 8);
    EXPECT_EQ(profile_from_text(to_text(profile)).value(), profile);
}

TEST(QuickCpuProbe, EndsInTimeWithPlausibleRates) {
    const auto begin = std::chrono::steady_clock::now();
    const QuickRates rates = measure_quick_rates({2, 32 * kMiB, 0.2});
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    EXPECT_LT(took.count(), 2.0);
    EXPECT_GT(rates.dram_gb_per_s, 0.1);
    EXPECT_LT(rates.dram_gb_per_s, 2000.0);
    EXPECT_GT(rates.f32_gflops, 0.05);
}

}  // namespace
}  // namespace pshard
