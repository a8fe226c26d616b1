#include <random>

#include "cost/rate_surface.h"
#include "cost/roofline.h"
#include "cost/toy_profile.h"
#include "ops/op_table.h"
#include "support/testing.h"

namespace pshard {
namespace {

using test::compute_row;
using test::kOne;
using test::op_time;
using test::toy_profile;

OpWork matmul(double flops, double bytes, double batch = 512) {
    OpWork work;
    work.family = OpFamily::MatMul;
    work.quant = "f16";
    work.flops = flops;
    work.bytes = bytes;
    work.batch = batch;
    work.size = 4096.0 * 4096;
    return work;
}

OpTime time_of(const OpWork& work, Processor processor, const MachineProfile& profile) {
    return op_time(work, processor, profile).value();
}

// Gpu: max(60/1, 20/1). Cpu: half the rates, under copies a quarter.
TEST(OpTime, IsTheLargerOfComputeAndMemory) {
    const MachineProfile toy = toy_profile();
    EXPECT_DOUBLE_EQ(time_of(matmul(60, 20), Processor::Gpu, toy).seconds, 60);
    EXPECT_DOUBLE_EQ(time_of(matmul(20, 60), Processor::Gpu, toy).seconds, 60);
    EXPECT_DOUBLE_EQ(time_of(matmul(60, 20), Processor::Cpu, toy).seconds, 120);
    EXPECT_DOUBLE_EQ(time_of(matmul(20, 60), Processor::CpuUnderCopies, toy).seconds, 240);
    EXPECT_EQ(time_of(matmul(60, 20), Processor::Gpu, toy).bound_by, Bound::Compute);
    EXPECT_EQ(time_of(matmul(20, 60), Processor::Gpu, toy).bound_by, Bound::Memory);
}

// Three quarters of all rates, launches as they are; not known where it was not measured.
TEST(Roofline, SlowsTheGpuDownUnderCopies) {
    MachineProfile profile = toy_profile();
    EXPECT_FALSE(op_time(matmul(60, 20), Processor::GpuUnderCopies, profile));
    profile.gpu->copy_efficiency_percent = 75;
    profile.gpu->launch_us = 3e6;
    EXPECT_DOUBLE_EQ(time_of(matmul(60, 20), Processor::GpuUnderCopies, profile).seconds, 83);
    EXPECT_DOUBLE_EQ(time_of(matmul(20, 60), Processor::GpuUnderCopies, profile).seconds, 83);
    profile.gpu->copy_efficiency_percent = 120;  // noise
    EXPECT_DOUBLE_EQ(time_of(matmul(60, 20), Processor::GpuUnderCopies, profile).seconds, 63);
}

TEST(OpTime, IsZeroForViewsOnly) {
    const MachineProfile toy = toy_profile();
    EXPECT_EQ(time_of(OpWork{}, Processor::Gpu, toy).seconds, 0);
    EXPECT_GT(time_of(matmul(0, 1), Processor::Gpu, toy).seconds, 0);
}

// 10 s of work and 3 s of launch; 1 s of work is bound by its launch.
TEST(OpTime, AddsALaunchToEachNode) {
    MachineProfile toy = toy_profile();
    toy.gpu->launch_us = 3e6;
    EXPECT_DOUBLE_EQ(time_of(matmul(10, 1), Processor::Gpu, toy).seconds, 13);
    EXPECT_EQ(time_of(matmul(1, 1), Processor::Gpu, toy).bound_by, Bound::Launch);
}

TEST(OpTime, IsUnknownWithoutAProfile) {
    EXPECT_FALSE(op_time(matmul(1, 1), Processor::Gpu, MachineProfile{}));
    EXPECT_FALSE(op_time(OpWork{}, Processor::Gpu, MachineProfile{}));
    MachineProfile cpu_only = toy_profile();
    cpu_only.gpu.reset();
    EXPECT_FALSE(op_time(matmul(1, 1), Processor::Gpu, cpu_only));
    EXPECT_TRUE(op_time(matmul(1, 1), Processor::Cpu, cpu_only));
    EXPECT_FALSE(Roofline(cpu_only).knows(Processor::Gpu));
}

TEST(OpTime, SaysWhenItExtrapolates) {
    const MachineProfile toy = toy_profile();
    EXPECT_FALSE(time_of(matmul(60, 20), Processor::Gpu, toy).extrapolated);
    EXPECT_TRUE(time_of(matmul(60, 20, 5000), Processor::Gpu, toy).extrapolated);
    OpWork other_quant = matmul(60, 20);
    other_quant.quant = "q8_0";
    EXPECT_TRUE(time_of(other_quant, Processor::Gpu, toy).extrapolated);
    OpWork attention = matmul(60, 20);
    attention.family = OpFamily::Attention;
    EXPECT_TRUE(time_of(attention, Processor::Gpu, toy).extrapolated);
}

// Heads of 64 and of 128 at the same tokens and cells are different rates, not their mean.
TEST(OpTime, TakesAttentionRowsOfTheNearestHeadDimension) {
    MachineProfile toy = toy_profile();
    for (const auto& [dim, rate] : {std::pair{64, 1.0}, std::pair{128, 4.0}}) {
        OpRow row{.op = "FLASH_ATTN_GQA-8", .quant = "f16", .gflops = rate * kOne};
        row.n_tokens = 512;
        row.ctx_len = 1024;
        row.n_heads = 8;
        row.head_dim = dim;
        row.intensity = 300;
        row.gb_per_s = row.gflops / row.intensity;
        toy.gpu->rows.push_back(row);
    }
    OpWork attention{.family = OpFamily::Attention, .quant = "f16", .flops = 1000, .bytes = 1};
    attention.batch = 512;
    attention.size = 1024;
    attention.head_dim = 64;
    EXPECT_NEAR(time_of(attention, Processor::Gpu, toy).seconds, 1000, 1e-6);
    attention.head_dim = 120;
    EXPECT_NEAR(time_of(attention, Processor::Gpu, toy).seconds, 250, 1e-6);
}

// An op with rows of its own is as fast as they say, and no bound of other ops holds for it: 60
// bytes at 2 bytes/s take 30 s, though memory gives 1 byte/s and the flops would take longer.
TEST(OpTime, TakesTheRowsOfASmallOp) {
    MachineProfile toy = toy_profile();
    OpRow row{.op = "RMS_NORM", .quant = "f32", .gb_per_s = 2 * kOne, .gflops = kOne};
    row.n_elements = 100;
    toy.gpu->rows.push_back(row);
    OpWork norm{.family = OpFamily::Other, .op = "RMS_NORM", .flops = 90, .bytes = 60, .size = 100};
    EXPECT_NEAR(time_of(norm, Processor::Gpu, toy).seconds, 30, 1e-6);
    norm.op = "SOFT_MAX";
    EXPECT_NEAR(time_of(norm, Processor::Gpu, toy).seconds, 90, 1e-6);
}

// Without any row: a quarter of the header's peak of 8 flop/s.
TEST(OpTime, FallsBackToAShareOfThePeak) {
    MachineProfile toy = toy_profile();
    toy.gpu->rows.clear();
    toy.gpu->peak_gflops = 8 * kOne;
    EXPECT_DOUBLE_EQ(time_of(matmul(60, 20), Processor::Gpu, toy).seconds, 30);
    EXPECT_TRUE(time_of(matmul(60, 20), Processor::Gpu, toy).extrapolated);
}

// Only memory-bound rows: their rate is a lower bound of what compute can do.
TEST(OpTime, TakesMemoryBoundRatesWhereNoRowWasComputeBound) {
    MachineProfile toy = toy_profile();
    toy.gpu->rows = {compute_row("f16", 1, 0.9)};  // 2 flops for 2 bytes: 0.9 bytes/s
    EXPECT_NEAR(time_of(matmul(90, 1, 1), Processor::Gpu, toy).seconds, 100, 1e-6);
}

// A small weight was slow with one row, a large one streamed at the bandwidth: the slow rate holds
// for small weights only. 4096*4096 f16 at 1 byte/s; 2*2^24 flops at 0.01 flop/s took 100 times it.
TEST(OpTime, TakesNoRateOfASmallWeightForALargeOne) {
    MachineProfile toy = toy_profile();
    OpRow small = compute_row("f16", 1, 0.01);
    small.n = small.k = 256;
    toy.gpu->rows = {small, compute_row("f16", 1, 0.9), compute_row("f16", 512, 100)};
    const double bytes = 2 * 4096.0 * 4096;
    EXPECT_LT(time_of(matmul(bytes, bytes, 1), Processor::Gpu, toy).seconds, 1.2 * bytes);
}

// 4 bytes/s for a MUL by a row, 1 for one by a column; where that is not known, 4 for both.
TEST(OpTime, TellsAMulByAColumnFromOneByARow) {
    MachineProfile toy = toy_profile();
    OpRow row{.op = "MUL", .quant = "f32", .gb_per_s = 4 * kOne, .gflops = kOne};
    row.n_elements = 100;
    toy.gpu->rows.push_back(row);
    OpWork mul{.family = OpFamily::Other, .op = kMulByColumn, .bytes = 800};
    mul.size = 100;
    EXPECT_DOUBLE_EQ(time_of(mul, Processor::Gpu, toy).seconds, 200);
    row.op = kMulByColumn;
    row.gb_per_s = kOne;
    toy.gpu->rows.push_back(row);
    EXPECT_DOUBLE_EQ(time_of(mul, Processor::Gpu, toy).seconds, 800);
    mul.op = "MUL";
    EXPECT_DOUBLE_EQ(time_of(mul, Processor::Gpu, toy).seconds, 200);
}

OpRow random_row(std::mt19937& random) {
    const auto pick = [&](auto... options) {
        const std::array all{std::int64_t(options)...};
        return all[random() % all.size()];
    };
    OpRow row;
    row.op = random() % 3 ? "MUL_MAT" : "MUL_MAT_ID";
    row.quant = std::array{"f16", "q8_0", "q4_0"}[random() % 3];
    row.n = pick(512, 1024, 4096, 8192);
    row.k = pick(1024, 2048, 4096);
    row.batch = pick(1, 4, 64, 512);
    if (row.op == "MUL_MAT_ID") row.n_tokens = 8, row.ctx_len = 128;
    row.gflops = 1 + double(random() % 1000);
    row.gflops_under_copies = row.gflops * (0.3 + double(random() % 100) / 100);
    row.gb_per_s = 1;
    return row;
}

MachineProfile random_profile(std::mt19937& random) {
    MachineProfile profile;
    profile.cpu = CpuProfile{.n_threads = 8, .dram_gb_per_s = 40.0};
    profile.gpu = GpuProfile{.backend = "CUDA0", .memory_gb_per_s = 400.0};
    profile.gpu->copy_efficiency_percent = 90;
    for (int i = 0; i < 30; i++) {
        profile.cpu->rows.push_back(random_row(random));
        profile.gpu->rows.push_back(random_row(random));
    }
    return profile;
}

OpWork dense_work(OpFamily family, const char* quant, double n, double k, double batch) {
    OpWork work;
    work.family = family;
    work.quant = quant;
    work.flops = 2 * n * k * batch;
    work.bytes = n * k / 2 + 4 * (n + k) * batch;
    work.batch = batch;
    work.size = n * k;
    return work;
}

// With rows of any rates: never 0 or less, never less for more rows or a larger weight, and never
// faster with copies than without.
TEST(OpTime, IsPositiveAndMonotoneOnAnyProfile) {
    std::mt19937 random(42);
    for (int round = 0; round < 40; round++) {
        const Roofline roofline(random_profile(random));
        for (const char* quant : {"f16", "q4_0", "q4_K", "iq2_xs", "mxfp4", "unheard_of"}) {
            for (const OpFamily family : {OpFamily::MatMul, OpFamily::MatMulId}) {
                for (const Processor processor : kAllProcessors) {
                    const auto seconds = [&](double n, double batch) {
                        const OpWork work = dense_work(family, quant, n, 2048, batch);
                        return roofline.op_time(work, processor)->seconds;
                    };
                    for (double batch = 1; batch < 3000; batch *= 1.7) {
                        const Seconds now = seconds(1000, batch);
                        EXPECT_GT(now, 0);
                        EXPECT_LE(now, seconds(1000, batch * 1.7) * (1 + 1e-9));
                        EXPECT_LE(now, seconds(1300, batch) * (1 + 1e-9));
                    }
                }
                const OpWork work = dense_work(family, quant, 3000, 2048, 100);
                EXPECT_LE(roofline.op_time(work, Processor::Cpu)->seconds,
                          roofline.op_time(work, Processor::CpuUnderCopies)->seconds);
            }
        }
    }
}

TEST(RateSurface, GivesMeasuredPointsBack) {
    RateSurface surface;
    surface.add(1, 10, 5);
    surface.add(4, 10, 10);
    EXPECT_DOUBLE_EQ(surface.at(1, 10), 5);
    EXPECT_DOUBLE_EQ(surface.at(4, 10), 10);
}

// Halfway in the logarithm: batch 2 between 1 and 4, size 20 between 10 and 40.
TEST(RateSurface, InterpolatesOverBatchAndSize) {
    RateSurface surface;
    surface.add(1, 10, 1);
    surface.add(4, 10, 4);
    EXPECT_DOUBLE_EQ(surface.at(2, 10), 2);
    surface.add(1, 40, 4);
    EXPECT_DOUBLE_EQ(surface.at(1, 20), 2);
}

TEST(RateSurface, KeepsTheRateBeyondThePoints) {
    RateSurface surface;
    surface.add(2, 10, 3);
    EXPECT_EQ(surface.at(1, 1), 3);
    EXPECT_EQ(surface.at(100, 100), 3);
    EXPECT_TRUE(surface.covers(1));
    EXPECT_TRUE(surface.covers(4));
    EXPECT_FALSE(surface.covers(5));
    EXPECT_FALSE(surface.covers(0.5));
}

TEST(RateSurface, AveragesEqualPoints) {
    RateSurface surface;
    surface.add(1, 10, 2);
    surface.add(1, 10, 4);
    surface.add(1, 10, 6);
    EXPECT_DOUBLE_EQ(surface.at(1, 10), 4);
}

// A rate that leaps by more than the work would make more work take less time.
TEST(RateSurface, LowersRatesThatGrowFasterThanTheWork) {
    RateSurface surface;
    surface.add(1, 10, 1);
    surface.add(1, 20, 100);
    surface.add(2, 10, 50);
    EXPECT_DOUBLE_EQ(surface.at(1, 20), 2);
    EXPECT_DOUBLE_EQ(surface.at(2, 10), 2);
}

}  // namespace
}  // namespace pshard
