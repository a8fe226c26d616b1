// Weaknesses of the published predictor [S7] that no other test would notice if they came back.
// docs/models/cost.md lists all of them and names the test of each.

#include "cost/graph_builder.h"
#include "cost/graph_cost.h"
#include "cost/toy_profile.h"
#include "support/machines.h"
#include "support/testing.h"

namespace pshard {
namespace {

using test::GraphBuilder;
using test::op_time;
using testing_support::reference_profile;

OpRow row_of(const char* op,
             const char* quant,
             std::int64_t n,
             std::int64_t k,
             std::int64_t batch,
             double gflops) {
    OpRow row{.op = op, .quant = quant, .gb_per_s = 1, .gflops = gflops};
    row.n = n;
    row.k = k;
    row.batch = batch;
    return row;
}

OpWork matmul(const char* quant, double n, double k, double batch, double bits) {
    OpWork work;
    work.family = OpFamily::MatMul;
    work.quant = quant;
    work.flops = 2 * n * k * batch;
    work.bytes = n * k * bits / 8 + 4 * (n + k) * batch;
    work.batch = batch;
    work.size = n * k;
    return work;
}

OpWork attention(double tokens, double cells) {
    OpWork work;
    work.family = OpFamily::Attention;
    work.quant = "f16";
    work.flops = 4 * tokens * 128 * cells * 32;
    work.bytes = 8 * tokens * 128 * 32 + 4 * 128 * cells * 8;
    work.batch = tokens;
    work.size = cells;
    return work;
}

// 512 tokens over 4096 cells were priced at 43-88 ms a layer from a row of one token; about 2 ms.
TEST(W1, AttentionIsPricedByItsTokens) {
    const Roofline roofline(reference_profile());
    const Seconds batch = roofline.op_time(attention(512, 4096), Processor::Gpu)->seconds;
    EXPECT_GT(batch, 0.5e-3);
    EXPECT_LT(batch, 4e-3);
    const Seconds single = roofline.op_time(attention(1, 4096), Processor::Gpu)->seconds;
    EXPECT_LT(batch, 512 * single / 4);
}

// An attention row that ran at 2.6 GB/s says nothing of bandwidth: 45.7 from the header.
// 2*4096*8*128*2*... the op below reads 4.57e9 bytes for hardly any flops: 0.1 s, not 1.76 s.
TEST(W2, BandwidthComesOnlyFromMemoryBoundRows) {
    MachineProfile profile;
    profile.cpu = CpuProfile{.n_threads = 8, .dram_gb_per_s = 45.7, .launch_us = 0};
    OpRow row = row_of("FLASH_ATTN_GQA-8", "f16", 0, 0, 0, 100);
    row.intensity = 100 / 2.6;
    row.gb_per_s = 2.6;
    row.ridge = 60;  // above its AI: the published rule would take 2.6 GB/s
    row.n_tokens = 512;
    row.ctx_len = 4096;
    row.n_heads = 8;
    row.head_dim = 128;
    profile.cpu->rows = {row};
    OpWork work = attention(512, 4096);
    work.bytes = 4.57e9;
    work.flops = 1;
    EXPECT_NEAR(op_time(work, Processor::Cpu, profile)->seconds, 0.1, 1e-9);
}

// At 512 rows each of these is bound by compute, and IQ types by the slowest measured rate.
TEST(W3, QuantsWithoutRowsHaveAComputeFloor) {
    MachineProfile profile;
    profile.cpu = CpuProfile{.n_threads = 8, .dram_gb_per_s = 40.0, .launch_us = 0};
    for (const auto& [quant, gflops] :
         {std::pair{"q4_0", 600.0}, {"f16", 400.0}, {"q2_K", 300.0}}) {
        profile.cpu->rows.push_back(row_of("MUL_MAT", quant, 4096, 4096, 512, gflops));
    }
    const auto gflops = [&](const char* quant, double batch) {
        const OpWork work = matmul(quant, 4096, 4096, batch, 4);
        const OpTime time = *op_time(work, Processor::Cpu, profile);
        EXPECT_TRUE(time.extrapolated) << quant;
        return work.flops / time.seconds / 1e9;
    };
    EXPECT_NEAR(gflops("q4_K", 512), 600, 1e-6);   // 4.5 bits: as q4_0
    EXPECT_NEAR(gflops("mxfp4", 512), 600, 1e-6);  // 4.25 bits
    EXPECT_NEAR(gflops("bf16", 512), 400, 1e-6);   // 16 bits: as f16
    EXPECT_NEAR(gflops("iq3_s", 512), 300, 1e-6);  // the slowest
    EXPECT_NEAR(gflops("iq4_of_tomorrow", 512), 300, 1e-6);
}

// Below 32 rows the floor is off: one row of an IQ weight streams at the bandwidth.
TEST(W3, TheFloorHoldsForBatchesOnly) {
    MachineProfile profile;
    profile.cpu = CpuProfile{.n_threads = 8, .dram_gb_per_s = 40.0, .launch_us = 0};
    profile.cpu->rows = {row_of("MUL_MAT", "q4_0", 4096, 4096, 512, 600),
                         row_of("MUL_MAT", "f32", 4096, 4096, 512, 3)};
    const OpWork one = matmul("iq2_xs", 4096, 4096, 1, 2.3125);
    EXPECT_NEAR(op_time(one, Processor::Cpu, profile)->seconds, one.bytes / 40e9, 1e-9);
}

// A measured row's own BW column has the same fault; its time and shape are believed instead.
TEST(W4, RoutedRowsAreJudgedByTheirDistinctExperts) {
    MachineProfile profile;
    profile.cpu = CpuProfile{.n_threads = 8, .dram_gb_per_s = 40.0, .launch_us = 0};
    // B=16, 8 of 256: 128 experts of 589824 bytes in 2.0 ms: 37.7 GB/s; the file says 2.4.
    OpRow row = row_of("MUL_MAT_ID", "q4_0", 512, 2048, 16, 2 * 512 * 2048 * 128 / 2e-3 / 1e9);
    row.n_tokens = 8;
    row.ctx_len = 256;
    row.gb_per_s = 2.4;
    profile.cpu->rows = {row};
    OpWork work = matmul("q4_0", 512, 2048, 1, 4.5);
    work.family = OpFamily::MatMulId;
    work.bytes = 37.7e9;
    work.flops = 1;
    EXPECT_NEAR(op_time(work, Processor::Cpu, profile)->seconds, 1.0, 0.03);
}

// A row of 3 us measured mostly its launch of 2: 589824 bytes at 800 GB/s and one launch, 2.7 us.
TEST(W7, LaunchBoundRowsAreNotChargedTwice) {
    MachineProfile profile;
    profile.gpu = GpuProfile{.backend = "CUDA0", .memory_gb_per_s = 800.0, .launch_us = 2};
    profile.gpu->rows = {row_of("MUL_MAT", "q4_0", 1024, 1024, 1, 2 * 1024 * 1024 / 3e-6 / 1e9),
                         row_of("MUL_MAT", "q4_0", 8192, 8192, 512, 80000)};
    const OpWork work = matmul("q4_0", 1024, 1024, 1, 4.5);
    EXPECT_NEAR(op_time(work, Processor::Gpu, profile)->seconds, 2e-6 + work.bytes / 800e9, 1e-9);
}

// About 700 us a layer [S3] at 512 tokens, though its bytes take some 60.
TEST(W11, ARecurrenceCostsItsStepsAndSmallOpsTheirLaunch) {
    GraphBuilder b(512);
    const Ref v = b.input({128, 32, 512});
    b.node("GATED_DELTA_NET", {4096, 640}, {v, v, v, b.input({128, 128, 32, 1})});
    const GraphCost cost = price_graph(b.graph, b.inventory, reference_profile(), 0);
    EXPECT_NEAR(cost.gpu.seconds[0], 700e-6, 70e-6);
}

// A row that read its weights from the cache at twice the memory's bandwidth promises no more than
// that bandwidth: 40e9 bytes take a second.
TEST(Trap36, CachedRowsAreNoFasterThanMemory) {
    MachineProfile profile;
    profile.cpu = CpuProfile{.n_threads = 8, .dram_gb_per_s = 40.0, .launch_us = 0};
    profile.cpu->rows = {row_of("MUL_MAT", "q8_0", 2048, 2048, 1, 2 / 1.0625 * 80)};
    OpWork work = matmul("q8_0", 2048, 2048, 1, 8.5);
    work.bytes = 40e9;
    EXPECT_NEAR(op_time(work, Processor::Cpu, profile)->seconds, 1, 1e-3);
}

}  // namespace
}  // namespace pshard
