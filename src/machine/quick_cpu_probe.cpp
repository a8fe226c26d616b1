#include "machine/quick_cpu_probe.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "machine/quant.h"

namespace pshard {

namespace {

using Clock = std::chrono::steady_clock;

// What the rows take of the two measured rates. Low on purpose: a plan that was priced too slow on
// the CPU keeps more on the GPU, which does no harm.
constexpr double kMatmulReadShare = 0.85;       // of DRAM bandwidth, weights streamed once
constexpr double kMatmulComputeShare = 0.8;     // of the plain loops' f32 rate
constexpr double kExpertComputeShare = 0.6;     // few rows per expert
constexpr double kAttentionComputeShare = 0.3;  // softmax between two thin matmuls
constexpr int kPasses = 8;

Seconds since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Runs `work(thread)` on every thread and waits for all of them.
void on_threads(int n_threads, const std::function<void(int)>& work) {
    std::vector<std::thread> threads;
    for (int i = 1; i < n_threads; i++) threads.emplace_back(work, i);
    work(0);
    for (std::thread& thread : threads) thread.join();
}

// The shortest of up to kPasses runs, stopping once `limit` has gone by.
Seconds shortest_pass(int n_threads, Seconds limit, const std::function<void(int)>& work) {
    const auto begin = Clock::now();
    Seconds best = 1e9;
    for (int pass = 0; pass < kPasses && (pass == 0 || since(begin) < limit); pass++) {
        const auto pass_begin = Clock::now();
        on_threads(n_threads, work);
        best = std::min(best, since(pass_begin));
    }
    return std::max(best, 1e-9);
}

double measure_read_rate(const QuickProbeOptions& options, int n_threads) {
    const std::size_t words = options.buffer_bytes / sizeof(std::uint64_t);
    const std::size_t part = std::max<std::size_t>(1, words / static_cast<std::size_t>(n_threads));
    std::vector<std::vector<std::uint64_t>> buffers(static_cast<std::size_t>(n_threads));
    on_threads(n_threads, [&](int i) { buffers[static_cast<std::size_t>(i)].assign(part, 1); });
    std::atomic<std::uint64_t> sink = 0;  // keeps the reads alive
    const Seconds pass = shortest_pass(n_threads, options.seconds / 2, [&](int i) {
        std::uint64_t sum = 0;
        for (const std::uint64_t word : buffers[static_cast<std::size_t>(i)]) sum += word;
        sink += sum;
    });
    const double bytes = double(part) * sizeof(std::uint64_t) * n_threads;
    return bytes / pass / 1e9;
}

// x = x*a + b over a block that stays in L1.
float multiply_add_block(std::size_t rounds) {
    std::array<float, 1024> block{};
    for (std::size_t round = 0; round < rounds; round++) {
        for (float& x : block) x = x * 0.999f + 0.5f;
    }
    float sum = 0;
    for (const float x : block) sum += x;
    return sum;
}

double measure_f32_rate(const QuickProbeOptions& options, int n_threads) {
    constexpr std::size_t kRounds = 50'000;  // 0.1 GFLOP a thread: about 10 ms
    std::atomic<int> sink = 0;
    const Seconds pass = shortest_pass(n_threads, options.seconds / 2, [&](int) {
        sink += static_cast<int>(multiply_add_block(kRounds));
    });
    return 2.0 * 1024 * kRounds * n_threads / pass / 1e9;
}

// A row whose rate is the lower of a compute rate and what `gb_per_s` can feed.
OpRow bounded_row(OpRow row, double flops, double bytes, double gflops, double gb_per_s) {
    row.intensity = flops / bytes;
    row.ridge = gflops / gb_per_s;
    row.gflops = std::min(gflops, gb_per_s * row.intensity);
    row.gb_per_s = row.gflops / row.intensity;
    return row;
}

OpRow matmul_row(const std::string& quant, std::int64_t batch, const QuickRates& rates) {
    OpRow row{.op = "MUL_MAT", .quant = quant, .n = 4096, .k = 4096, .batch = batch};
    const double flops = 2.0 * 4096 * 4096 * double(batch);
    const double bytes =
        4096.0 * 4096 * bits_per_weight(quant).value_or(16) / 8 + 2 * 4.0 * 4096 * double(batch);
    return bounded_row(row,
                       flops,
                       bytes,
                       kMatmulComputeShare * rates.f32_gflops,
                       kMatmulReadShare * rates.dram_gb_per_s);
}

// 8 of 128 experts, the routes of the profilers: round robin.
OpRow expert_row(const std::string& quant, std::int64_t batch, const QuickRates& rates) {
    OpRow row{.op = "MUL_MAT_ID", .quant = quant, .n = 2048, .k = 2048, .batch = batch};
    row.n_tokens = 8;
    row.ctx_len = 128;
    const double distinct = std::min(128.0, 8.0 * double(batch));
    const double flops = 2.0 * 2048 * 2048 * 8 * double(batch);
    const double bytes = 2048.0 * 2048 * distinct * bits_per_weight(quant).value_or(16) / 8 +
                         2 * 4.0 * 2048 * 8 * double(batch);
    return bounded_row(row,
                       flops,
                       bytes,
                       kExpertComputeShare * rates.f32_gflops,
                       kMatmulReadShare * rates.dram_gb_per_s);
}

// 32 query heads over 8 KV heads of 128, 4096 cells.
OpRow attention_row(std::int64_t n_tokens, const QuickRates& rates) {
    OpRow row{.op = "FLASH_ATTN_GQA-8", .quant = "f16", .n_tokens = n_tokens};
    row.ctx_len = 4096;
    row.n_heads = 8;
    row.head_dim = 128;
    const double flops = 4.0 * double(n_tokens) * 128 * 4096 * 32;
    const double bytes = 2 * 2.0 * 128 * 4096 * 8 + 2 * 4.0 * double(n_tokens) * 128 * 32;
    return bounded_row(row,
                       flops,
                       bytes,
                       kAttentionComputeShare * rates.f32_gflops,
                       kMatmulReadShare * rates.dram_gb_per_s);
}

}  // namespace

QuickRates measure_quick_rates(const QuickProbeOptions& options) {
    const int n_threads = std::max(1, options.n_threads);
    return {measure_read_rate(options, n_threads), measure_f32_rate(options, n_threads)};
}

MachineProfile quick_profile(const QuickRates& rates, int n_threads) {
    MachineProfile profile;
    profile.provenance = Provenance::Quick;
    profile.source = "quick probe of the CPU, +-30 %; run llama-profiler-cpu for better figures";
    CpuProfile& cpu = profile.cpu.emplace();
    cpu.n_threads = std::max(1, n_threads);
    cpu.dram_gb_per_s = rates.dram_gb_per_s;
    cpu.vector_gflops = rates.f32_gflops / 4;
    for (const std::int64_t batch : {1, 64, 512}) {
        for (const char* quant : {"f16", "q8_0", "q4_0"}) {
            cpu.rows.push_back(matmul_row(quant, batch, rates));
            cpu.rows.push_back(expert_row(quant, batch, rates));
        }
        cpu.rows.push_back(attention_row(batch, rates));
    }
    return profile;
}

MachineProfile quick_cpu_probe(const QuickProbeOptions& options) {
    return quick_profile(measure_quick_rates(options), options.n_threads);
}

}  // namespace pshard
