#include "cost/transfer.h"
#include "cost/state_traffic.h"
#include "cost/toy_profile.h"
#include "support/testing.h"

namespace pshard {
namespace {

// 4 bytes/s alone, 2 under CPU load, 1 pageable, 3 back; half a second of setup; slices of 1 byte
// at 1 byte/s, of 4 bytes at 2, their setup in it.
LinkRates toy_link() {
    LinkRates link;
    link.h2d_bytes_per_second = 4;
    link.h2d_under_cpu_load = 2;
    link.h2d_pageable = 1;
    link.d2h_bytes_per_second = 3;
    link.setup_seconds = 0.5;
    link.sliced = {{1e-6, 1e-9}, {4e-6, 2e-9}};
    return link;
}

TEST(Upload, TakesBytesOverRateAndASetupPerPiece) {
    EXPECT_DOUBLE_EQ(upload_seconds({.bytes = 8}, toy_link()), 8 / 4.0 + 0.5);
    EXPECT_DOUBLE_EQ(upload_seconds({.bytes = 8, .beside = Beside::Cpu}, toy_link()),
                     8 / 2.0 + 0.5);
    EXPECT_DOUBLE_EQ(upload_seconds({.bytes = 8, .memory = HostMemory::Pageable}, toy_link()),
                     8 / 1.0 + 0.5);
    EXPECT_EQ(upload_seconds({.bytes = 0}, toy_link()), 0);
}

// Two slices of 4 at 2; of 2, halfway between 1 and 4 in the logarithm, at 1.5. Nothing on top.
TEST(Upload, FindsTheSetupOfSlicesInTheirCurve) {
    EXPECT_DOUBLE_EQ(upload_seconds({.bytes = 8, .pieces = 2}, toy_link()), 8 / 2.0);
    EXPECT_DOUBLE_EQ(upload_seconds({.bytes = 8, .pieces = 4}, toy_link()), 8 / 1.5);
    EXPECT_DOUBLE_EQ(upload_seconds({.bytes = 800, .pieces = 2}, toy_link()), 800 / 2.0);
}

// Smaller than any slice that was measured: 16 of half a byte, 8/4 and 16 setups, not 8/1. And
// where memory is slower than the curve: 8/1 and 2 setups, not 8/2.
TEST(Upload, ChargesSlicesTheirSetupWhereTheCurveDoesNotTell) {
    EXPECT_DOUBLE_EQ(upload_seconds({.bytes = 8, .pieces = 16}, toy_link()), 8 / 4.0 + 8.0);
    EXPECT_DOUBLE_EQ(
        upload_seconds({.bytes = 8, .pieces = 2, .memory = HostMemory::Pageable}, toy_link()),
        8 / 1.0 + 1.0);
}

// Without a curve each piece pays its setup.
TEST(Upload, ChargesSlicesTheirSetupWithoutACurve) {
    LinkRates link = toy_link();
    link.sliced.clear();
    EXPECT_DOUBLE_EQ(upload_seconds({.bytes = 8, .pieces = 2}, link), 8 / 4.0 + 1.0);
}

// A copy of 1 byte was seen to run at 0.1 bytes/s, of 4 at 1: 4 at 1, not 4/4 and 0.5. Of 64 at the
// outermost rate, as long as that says more than 64/4 and 0.5.
TEST(Upload, TakesWhatCopiesOfItsSizeTook) {
    LinkRates link = toy_link();
    link.locked = {{1e-6, 0.1e-9}, {4e-6, 1e-9}};
    EXPECT_DOUBLE_EQ(upload_seconds({.bytes = 4}, link), 4 / 1.0);
    EXPECT_DOUBLE_EQ(upload_seconds({.bytes = 64}, link), 64 / 1.0);
    EXPECT_DOUBLE_EQ(upload_seconds({.bytes = 4, .memory = HostMemory::Pageable}, link),
                     4 / 1.0 + 0.5);
    link.pageable = {{4e-6, 0.5e-9}};
    EXPECT_DOUBLE_EQ(upload_seconds({.bytes = 4, .memory = HostMemory::Pageable}, link), 4 / 0.5);
}

TEST(Download, TakesWhatCopiesOfItsSizeTook) {
    LinkRates link = toy_link();
    link.down = {{6e-6, 2e-9}};
    EXPECT_DOUBLE_EQ(download_seconds({.bytes = 6}, link), 6 / 2.0);
}

TEST(Download, HasItsOwnRate) {
    EXPECT_DOUBLE_EQ(download_seconds({.bytes = 6}, toy_link()), 6 / 3.0 + 0.5);
    EXPECT_EQ(download_seconds({}, toy_link()), 0);
}

TEST(LinkRates, AreUnknownWithoutALink) {
    EXPECT_FALSE(link_rates(MachineProfile{}));
    EXPECT_EQ(missing_prices(MachineProfile{}), "no profile of CPU and GPU");
    EXPECT_EQ(missing_prices(MachineProfile{.cpu = CpuProfile{}}), "no GPU profile");
    EXPECT_EQ(missing_prices(MachineProfile{.gpu = GpuProfile{}}), "no CPU profile");
    EXPECT_TRUE(missing_prices({.cpu = CpuProfile{}, .gpu = GpuProfile{}})
                    .starts_with("no rate of the link to the GPU in the profiles"));
    EXPECT_FALSE(link_rates(MachineProfile{.cpu = CpuProfile{.dram_gb_per_s = 40}}));
}

TEST(LinkRates, AreFedByHostMemory) {
    MachineProfile profile;
    profile.link.standalone_gb_per_s = 60;
    profile.cpu = CpuProfile{.dram_gb_per_s = 45.7};
    EXPECT_DOUBLE_EQ(link_rates(profile)->h2d_bytes_per_second, 45.7e9);
}

TEST(LinkRates, NameTheirFallbacksEstimates) {
    MachineProfile profile;
    profile.link.standalone_gb_per_s = 20;
    const LinkRates guess = *link_rates(profile);
    EXPECT_TRUE(guess.estimated);
    EXPECT_DOUBLE_EQ(guess.h2d_under_cpu_load, 10e9);
    EXPECT_DOUBLE_EQ(guess.h2d_pageable, 6e9);
    EXPECT_DOUBLE_EQ(guess.d2h_bytes_per_second, 20e9);
    EXPECT_DOUBLE_EQ(guess.setup_seconds, 3.1e-6);
    EXPECT_NEAR(guess.sliced[1].gb_per_s, 29.6 * 20 / 45, 1e-9);
    profile.link = {20, 19, 12, true, 5, {{1, 10}}, 60, 3, 25};
    EXPECT_FALSE(link_rates(profile)->estimated);
    EXPECT_DOUBLE_EQ(link_rates(profile)->h2d_under_cpu_load, 12e9);
    EXPECT_DOUBLE_EQ(link_rates(profile)->switch_seconds, 25e-6);
}

using Curve = std::vector<SlicePoint>;

// Weights lie in a mapping, states in memory that the device may write to.
TEST(LinkRates, TakeTheirCurvesFromTheMemoryThatIsCopiedFrom) {
    MachineProfile profile;
    profile.link.standalone_gb_per_s = 20;
    profile.link.copies = {{CopySource::Pinned, 1, 10, 9},
                           {CopySource::Registered, 1, 8, std::nullopt},
                           {CopySource::Registered, 4, 12, std::nullopt},
                           {CopySource::Pageable, 1, 3, 2}};
    EXPECT_EQ(link_rates(profile)->locked, (Curve{{1, 8}, {4, 12}}));
    EXPECT_EQ(link_rates(profile)->pageable, (Curve{{1, 3}}));
    EXPECT_EQ(link_rates(profile)->down, (Curve{{1, 9}}));
    std::erase_if(profile.link.copies,
                  [](const CopyPoint& point) { return point.source == CopySource::Registered; });
    EXPECT_EQ(link_rates(profile)->locked, (Curve{{1, 10}}));
    profile.link.copies.clear();
    EXPECT_EQ(link_rates(profile)->locked, Curve{});
}

TEST(LinkRates, CopyFromPageableMemoryWhereADeviceLocksNone) {
    MachineProfile profile;
    profile.link.pageable_gb_per_s = 6;
    profile.link.copies = {{CopySource::Pageable, 1, 3, 2}};
    const LinkRates link = *link_rates(profile);
    EXPECT_DOUBLE_EQ(link.h2d_bytes_per_second, 6e9);
    EXPECT_DOUBLE_EQ(link.h2d_pageable, 6e9);
    EXPECT_DOUBLE_EQ(link.h2d_under_cpu_load, 3e9);
    EXPECT_EQ(link.locked, (Curve{{1, 3}}));
    EXPECT_EQ(link.down, (Curve{{1, 2}}));
}

// 10 up and 6 down alone, 8 of their 16 together: each at half its rate. Never faster than alone.
TEST(LinkRates, AreSlowerBesideAGpuThatComputesAndCopiesTheOtherWay) {
    MachineProfile profile;
    profile.link.standalone_gb_per_s = 10;
    profile.link.d2h_gb_per_s = 6;
    const LinkRates alone = *link_rates(profile);
    EXPECT_DOUBLE_EQ(alone.h2d_under_gpu_load, 10e9);
    EXPECT_DOUBLE_EQ(alone.h2d_duplex, 10e9);
    EXPECT_DOUBLE_EQ(alone.d2h_duplex, 6e9);
    profile.link.under_gpu_gb_per_s = 9;
    profile.link.duplex_gb_per_s = 8;
    const LinkRates loaded = *link_rates(profile);
    EXPECT_DOUBLE_EQ(loaded.h2d_under_gpu_load, 9e9);
    EXPECT_DOUBLE_EQ(loaded.h2d_duplex, 5e9);
    EXPECT_DOUBLE_EQ(loaded.d2h_duplex, 3e9);
    EXPECT_DOUBLE_EQ(upload_seconds({.bytes = Bytes(9e9), .beside = Beside::Gpu}, loaded),
                     1 + loaded.setup_seconds);
    EXPECT_DOUBLE_EQ(download_seconds({.bytes = Bytes(3e9), .beside = Beside::OtherWay}, loaded),
                     1 + loaded.setup_seconds);
    profile.link.under_gpu_gb_per_s = 12;
    profile.link.duplex_gb_per_s = 20;
    EXPECT_EQ(*link_rates(profile), alone);
}

Weight routed_weight(std::int64_t n_experts, Bytes expert_bytes) {
    Weight weight{.name = "ffn_up_exps", .type = "f16", .shape = {1, 1, n_experts, 1}};
    weight.bytes = expert_bytes * Bytes(n_experts);
    weight.routed = true;
    return weight;
}

// 1 of 4 experts of 1000 bytes: 1000 + 512 of padding, in one run.
TEST(SlicedTraffic, PadsARunOfExperts) {
    EXPECT_EQ(sliced_traffic(routed_weight(4, 1000), 1, 1), (WeightTraffic{1512, 1}));
}

// Experts of 100 bytes pad by 100. 2 tokens, top 1 of 8: 8*(1-(7/8)^2) = 1.875 distinct in
// 1.875*7.125/8 = 1.67 runs: 187.5 + 167.0 = 354.5
TEST(SlicedTraffic, CountsDistinctExpertsAndTheirRuns) {
    EXPECT_EQ(sliced_traffic(routed_weight(8, 100), 1, 2), (WeightTraffic{355, 2}));
}

TEST(SlicedTraffic, NeverExceedsTheWholeWeightAndGrowsWithTheBatch) {
    const Weight weight = routed_weight(256, 600'000);
    Bytes before = 0;
    for (std::uint32_t n_tokens = 1; n_tokens < 2000; n_tokens = n_tokens * 5 / 4 + 1) {
        const WeightTraffic traffic = sliced_traffic(weight, 8, n_tokens);
        EXPECT_LE(traffic.bytes, weight.bytes);
        EXPECT_GE(traffic.bytes, before) << n_tokens;
        EXPECT_GE(traffic.pieces, 1u);
        before = traffic.bytes;
    }
    EXPECT_EQ(sliced_traffic(weight, 8, 2000), whole_traffic(weight));
}

TEST(SlicedTraffic, MovesOtherWeightsWhole) {
    const Weight dense{.name = "w", .type = "f16", .shape = {4, 4, 1, 1}, .bytes = 32};
    EXPECT_EQ(sliced_traffic(dense, 8, 1), (WeightTraffic{32, 1}));
}

Graph graph_of(std::uint32_t n_tokens, std::uint32_t n_seqs = 1) {
    Graph graph;
    graph.n_tokens = n_tokens;
    graph.n_seqs = n_seqs;
    return graph;
}

// 100 cells of 8 bytes.
State kv(const char* name) {
    State state;
    state.name = name;
    state.type = "f16";
    state.shape = {4, 100, 1, 1};
    state.bytes = 800;
    state.n_cells = 100;
    return state;
}

TEST(StateTraffic, MovesUsedCellsUpAndWrittenCellsDown) {
    EXPECT_EQ(state_traffic(kv("cache_k_l0"), graph_of(5), {}, 30), (StateTraffic{240, 40}));
    EXPECT_EQ(state_traffic(kv("cache_k_l0"), graph_of(5), {}, 0), (StateTraffic{0, 40}));
}

TEST(StateTraffic, CountsEverySequence) {
    EXPECT_EQ(state_traffic(kv("cache_k_l0"), graph_of(2, 2), {}, 30), (StateTraffic{480, 16}));
}

// A window's cache has fewer cells than the sequence has tokens.
TEST(StateTraffic, StaysWithinTheCells) {
    EXPECT_EQ(state_traffic(kv("cache_k_l0"), graph_of(500), {}, 3000), (StateTraffic{800, 800}));
}

TEST(StateTraffic, MovesRecurrentStateWholeBothWays) {
    State state = kv("cache_s_l0");
    state.kind = StateKind::Recurrent;
    state.n_cells = 0;
    EXPECT_EQ(state_traffic(state, graph_of(1), {}, 3), (StateTraffic{800, 800}));
}

TEST(StateTraffic, MovesATransposedVWhole) {
    Inventory inventory;
    inventory.flash_attention = false;
    EXPECT_EQ(state_traffic(kv("cache_v_l0"), graph_of(1), inventory, 30),
              (StateTraffic{800, 800}));
    EXPECT_EQ(state_traffic(kv("cache_k_l0"), graph_of(1), inventory, 30), (StateTraffic{240, 8}));
}

}  // namespace
}  // namespace pshard
