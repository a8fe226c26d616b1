// Ops timed on the CPU backend: what is asked for is computed, on operands that no cache holds.
#include "probe/op_bench.h"
#include "build_paths.h"
#include "probe/op_lists.h"
#include "probe/profile_ops.h"
#include "support/testing.h"

namespace pshard {
namespace {

ggml_backend_dev_t cpu() {
    load_ggml_backends(PSHARD_LLAMA_BIN_DIR);
    return find_cpu().value();
}

// Small and short: these tests look at what is measured, not at how fast.
OpBenchOptions brief() {
    OpBenchOptions options;
    options.pool_bytes = 16 * kMiB;
    options.cache_bytes = 2 * kMiB;
    options.sampling = {.min_samples = 1, .max_samples = 1, .budget = 0, .max_spread = 1e9};
    options.graph_seconds = 1e-4;
    return options;
}

Result<OpVisit> visit(OpBench& bench, const OpCase& op_case) {
    OpSize size;
    return bench.visit(op_case, size, 0);
}

OpBench bench() { return OpBench::open(cpu(), brief()).value(); }

OpCase matmul(const char* type, std::int64_t n = 256, std::int64_t k = 512) {
    return {.op = "MUL_MAT", .type = type, .n_tokens = 2, .n = n, .k = k};
}

std::vector<float> values_of(const ggml_tensor* tensor) {
    std::vector<float> values(std::size_t(ggml_nelements(tensor)));
    ggml_backend_tensor_get(tensor, values.data(), 0, ggml_nbytes(tensor));
    return values;
}

// The published profilers left CPU weights all zero.
TEST(OperandPool, HoldsRandomFiniteValuesOfEveryListedType) {
    ggml_backend_dev_t device = cpu();
    std::set<std::string> types;
    for (const OpCase& c : cpu_op_list(OpListSize::Fast)) {
        if (c.op == "MUL_MAT") types.insert(c.type);
    }
    const BackendHandle backend = open_backend(device, 2).value();
    for (const std::string& type : types) {
        OperandPool pool(device, 4 * kMiB);
        const OpCase c = matmul(type.c_str());
        const auto where = test::value_of(operand_buffer_type(device, c));
        ASSERT_TRUE(pool.fill(where, *ggml_type_of(type), 4 * kMiB).ok());
        OpGraph graph = test::value_of(OpGraph::make(c, device, pool, 3));
        ASSERT_TRUE(graph.compute(backend.get()).ok());
        const std::vector<float> result = values_of(graph.result());
        const std::set<float> distinct(result.begin(), result.end());
        EXPECT_GT(distinct.size(), result.size() / 4) << type;
        for (const float value : result) ASSERT_TRUE(std::isfinite(value)) << type;
    }
}

TEST(OperandPool, TakesAnotherStretchEachTimeAndWrapsAround) {
    ggml_backend_dev_t device = cpu();
    OperandPool pool(device, 4 * kMiB);
    ASSERT_TRUE(pool.fill(ggml_backend_dev_buffer_type(device), GGML_TYPE_F16, 4 * kMiB).ok());
    const GgmlContext context(16);
    std::vector<void*> places;
    for (int i = 0; i < 9; i++) {
        ggml_tensor* tensor = ggml_new_tensor_2d(context.get(), GGML_TYPE_F16, 1024, 512);  // 1 MiB
        ASSERT_TRUE(pool.place(tensor));
        places.push_back(tensor->data);
    }
    EXPECT_EQ(std::set<void*>(places.begin(), places.end()).size(), 4U);
    EXPECT_EQ(places[0], places[4]);
    EXPECT_FALSE(pool.place(ggml_new_tensor_2d(context.get(), GGML_TYPE_F16, 1024, 4096)));
}

// llama.cpp repacks CPU weights of these types where the CPU has the instructions.
TEST(OperandPool, PutsWeightsWhereLlamaCppWould) {
    ggml_backend_dev_t device = cpu();
    ggml_backend_buffer_type_t own = ggml_backend_dev_buffer_type(device);
    EXPECT_EQ(operand_buffer_type(device, matmul("f16")).value(), own);
    ggml_backend_buffer_type_t repacked = operand_buffer_type(device, matmul("q4_0")).value();
    if (repacked == own) GTEST_SKIP() << "this CPU repacks no q4_0";
    EXPECT_STREQ(ggml_backend_buft_name(repacked), "CPU_REPACK");
    // Rows that do not come in eights cannot be interleaved.
    EXPECT_EQ(operand_buffer_type(device, matmul("q4_0", 250)).value(), own);
}

// A 256 MiB flush left a 96 MB cache full [S3]: operands rotate instead.
TEST(OpBench, WalksThroughMoreOperandsThanTheCacheHolds) {
    OpBench ops = bench();
    const OpCase experts{
        .op = "MUL_MAT_ID", .type = "q8_0", .n = 64, .k = 256, .n_experts = 16, .n_used = 2};
    EXPECT_EQ(cold_bytes_read(experts), cold_bytes(experts) / 8);
    for (const OpCase& c : {matmul("q8_0"),
                            experts,
                            OpCase{.op = "FLASH_ATTN_EXT",
                            .type = "f16",
                            .n_cells = 256,
                            .n_heads = 4,
                            .n_heads_kv = 2,
                            .head_dim = 64}}) {
        const OpVisit timing = test::value_of(visit(ops, c));
        EXPECT_GE(timing.operands, 2 * brief().cache_bytes) << describe(c);
        EXPECT_GT(timing.times.at(0), 0);
    }
}

// Every op of the lists can be built, and the CPU computes all of them.
TEST(OpBench, TimesEveryOpOfTheLists) {
    OpBench ops = bench();
    std::set<std::string> seen;
    for (OpCase c : cpu_op_list(OpListSize::Full)) {
        if (!seen.insert(c.op).second) continue;
        c.n_tokens = std::min<std::int64_t>(c.n_tokens, 4);
        c.n = std::min<std::int64_t>(c.n, 64);
        const Result<OpVisit> timing = visit(ops, c);
        EXPECT_TRUE(timing.ok()) << (timing ? "" : timing.error().text());
    }
    EXPECT_GE(seen.size(), 20U);
}

TEST(OpBench, RefusesWhatItDoesNotKnowOrCannotHold) {
    OpBench ops = bench();
    EXPECT_THAT(visit(ops, {.op = "NO_SUCH_OP", .type = "f32"}).error().text(),
                HasSubstr("no such op"));
    EXPECT_THAT(visit(ops, matmul("q9_9")).error().text(), HasSubstr("no such op or type"));
    EXPECT_THAT(visit(ops, matmul("f16", 8192, 8192)).error().text(), HasSubstr("larger than"));
}

TEST(OpBench, CountsWhatGrowsWhileItComputes) {
    OpBench ops = bench();
    Bytes calls = 0;
    OpSize size;
    const auto count = [&] { return ++calls * 1000; };
    const OpVisit counted = test::value_of(ops.visit(matmul("f16"), size, 0, count));
    EXPECT_GT(counted.counted_per_second, 0);
    EXPECT_EQ(visit(ops, matmul("f16")).value().counted_per_second, 0);
}

// Found out at the first visit, kept at the next; the budget of the visit counts.
TEST(OpBench, KeepsTheSizeOfACase) {
    OpBenchOptions options = brief();
    options.sampling = {.min_samples = 2, .max_samples = 1000};
    OpBench ops = OpBench::open(cpu(), options).value();
    OpSize size;
    EXPECT_EQ(ops.visit(matmul("f16"), size, 0).value().times.size(), 2U);
    EXPECT_GT(size.n_nodes, 0);
    EXPECT_GT(size.n_graphs, 0);
    const OpSize first = size;
    EXPECT_GT(ops.visit(matmul("f16"), size, 0.01).value().times.size(), 2U);
    EXPECT_EQ(size, first);
}

TEST(ProfileOps, MakesARowForEachCaseAndNamesTheOthers) {
    ProfileOpsOptions options;
    options.bench = brief();
    std::vector<std::string> told;
    options.on_progress = [&](const OpProgress& progress) { told.push_back(progress.what); };
    const std::vector<OpCase> cases = {matmul("f16"), matmul("f16", 8192, 8192), matmul("q8_0")};
    const MeasuredOps measured = test::value_of(profile_ops(cpu(), cases, options));
    ASSERT_EQ(measured.rows.size(), 2U);
    EXPECT_EQ(measured.rows[1].quant, "q8_0");
    ASSERT_EQ(measured.left_out.size(), 1U);
    EXPECT_THAT(measured.left_out[0], HasSubstr("8192x8192"));
    EXPECT_EQ(told.size(), 9U);  // in three rounds
    EXPECT_EQ(told[3], told[0]);
    EXPECT_GT(measured.launch_seconds, 0);
    for (const OpRow& row : measured.rows) EXPECT_GT(row.gflops, 0);
    EXPECT_FALSE(measured.share_under_copies);
}

OpRow row(const char* op, std::int64_t batch, double intensity, double gb_per_s, double gflops) {
    OpRow row{.op = op, .quant = "f16", .intensity = intensity, .gb_per_s = gb_per_s};
    row.gflops = gflops;
    row.n = row.k = 64;
    row.batch = batch;
    return row;
}

// An addition ran from the cache at 4000 GB/s; the matmul of one token streamed 600. Peak 90000 is
// of the larger batch: 90000/600 is the ridge.
TEST(ProfileOps, TakesAGpusBandwidthFromWhatStreamed) {
    MeasuredOps ops;
    ops.rows = {row("ADD", 0, 0.1, 4000, 400),
                row("MUL_MAT", 1, 1, 600, 600),
                row("MUL_MAT", 512, 300, 300, 90000)};
    ops.launch_seconds = 3e-6;
    ops.share_under_copies = 0.75;
    GpuProfile gpu;
    put_ops(ops, gpu);
    EXPECT_EQ(gpu.memory_gb_per_s, 600);
    EXPECT_EQ(gpu.peak_gflops, 90000);
    EXPECT_EQ(gpu.rows[1].ridge, 150);
    EXPECT_DOUBLE_EQ(*gpu.launch_us, 3);
    EXPECT_EQ(gpu.copy_efficiency_percent, 75);
    ops.rows.erase(ops.rows.begin() + 1);
    GpuProfile unknown;
    put_ops(ops, unknown);
    EXPECT_FALSE(unknown.memory_gb_per_s);
}

// A token of 2 heads of 4 x 4 takes 8*4*4*2 = 256 flops: 0.5 s at 512 a second. Measured over 16
// tokens; the row of one token does not count.
TEST(ProfileOps, TakesWhatARecurrenceReachesFromTheLongest) {
    const OpCase scan{
        .op = "GATED_DELTA_NET", .type = "f32", .n_tokens = 16, .shape = {4, 2, 16, 1}};
    OpCase single = scan;
    single.n_tokens = single.shape[2] = 1;
    MeasuredOps ops;
    ops.rows = {row_of(scan, 8), row_of(single, 8)};
    GpuProfile gpu;
    put_ops(ops, gpu);
    EXPECT_DOUBLE_EQ(*gpu.scan_step_us, 0.5e6);
    EXPECT_DOUBLE_EQ(*gpu.vector_gflops, 512e-9);
    CpuProfile cpu;
    put_ops(ops, cpu);
    EXPECT_DOUBLE_EQ(*cpu.vector_gflops, 512e-9);
}

TEST(ProfileOps, EndsAtTheTimeLimitAndWhenTheUserWantsTo) {
    ProfileOpsOptions options;
    options.bench = brief();
    options.time_limit = 0;
    const std::vector<OpCase> cases(5, matmul("f16"));
    const MeasuredOps late = test::value_of(profile_ops(cpu(), cases, options));
    EXPECT_EQ(late.unreached.size(), 5U);
    EXPECT_FALSE(late.stopped);
    options.time_limit.reset();
    int asked = 0;
    options.wants_stop = [&] { return ++asked > 2; };
    const Result<MeasuredOps> stopped = profile_ops(cpu(), cases, options);
    ASSERT_TRUE(stopped.ok());
    EXPECT_TRUE(stopped.value().stopped);
    EXPECT_EQ(stopped.value().rows.size(), 2U);
}

}  // namespace
}  // namespace pshard
