#include "probe/dram_probe.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <numeric>
#include <thread>
#include <vector>

#include "probe/sampler.h"

namespace pshard {

namespace {

constexpr int kLeastPasses = 5;

// Adds up the words in several sums, so that the additions do not wait for each other.
std::uint64_t sum_of(const std::vector<std::uint64_t>& words) {
    constexpr std::size_t kSums = 16;
    std::uint64_t sums[kSums] = {};
    for (std::size_t i = 0; i + kSums <= words.size(); i += kSums) {
        for (std::size_t j = 0; j < kSums; j++) sums[j] += words[i + j];
    }
    return std::accumulate(std::begin(sums), std::end(sums), std::uint64_t{0});
}

void on_threads(int n_threads, const std::function<void(std::size_t)>& work) {
    std::vector<std::jthread> threads;  // they are joined, whatever is thrown
    for (int i = 1; i < n_threads; i++) threads.emplace_back(work, i);
    work(0);
}

Seconds shortest_pass(const std::function<void()>& pass, Seconds budget) {
    Seconds best = time_of(pass);
    Seconds total = best;
    for (int i = 1; i < kLeastPasses || total < budget; i++) {
        const Seconds seconds = time_of(pass);
        best = std::min(best, seconds);
        total += seconds;
    }
    return best;
}

}  // namespace

double measure_dram_gb_per_s(const DramProbeOptions& options) {
    const auto n_threads = static_cast<std::size_t>(std::max(1, options.n_threads));
    const std::size_t n_words = options.bytes / sizeof(std::uint64_t) / n_threads;
    std::vector<std::vector<std::uint64_t>> parts(n_threads);
    on_threads(options.n_threads, [&](std::size_t i) { parts[i].assign(n_words, i + 1); });
    std::atomic<std::uint64_t> sink = 0;  // keeps the reads alive
    const auto read_all = [&] {
        on_threads(options.n_threads, [&](std::size_t i) { sink += sum_of(parts[i]); });
    };
    const Seconds best = shortest_pass(read_all, options.seconds);
    return double(n_words * n_threads * sizeof(std::uint64_t)) / best / 1e9;
}

}  // namespace pshard
