#include "probe/dram_probe.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>
#include <numeric>
#include <span>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "base/parallel.h"
#include "probe/sampler.h"

namespace pshard {

namespace {

constexpr int kLeastPasses = 5;

// Adds up the words in several sums, so that the additions do not wait for each other.
std::uint64_t sum_of(std::span<const std::uint64_t> words) {
    constexpr std::size_t kSums = 16;
    std::uint64_t sums[kSums] = {};
    for (std::size_t i = 0; i + kSums <= words.size(); i += kSums) {
        for (std::size_t j = 0; j < kSums; j++) sums[j] += words[i + j];
    }
    return std::accumulate(std::begin(sums), std::end(sums), std::uint64_t{0});
}

// Does work(0) ... work(n_threads - 1), each on a thread of its own. Returns whether all started.
bool on_threads(std::size_t n_threads, const std::function<void(std::size_t)>& work) {
    std::vector<std::thread> threads;
    bool started = true;
    for (std::size_t i = 1; i < n_threads && started; i++) {
        threads.push_back(started_thread([&work, i] { work(i); }));
        started = threads.back().joinable();
    }
    work(0);
    for (std::thread& thread : threads) {
        if (thread.joinable()) thread.join();
    }
    return started;
}

Error no_threads(std::size_t n_threads) {
    return {fmt::format("the system does not start {} threads at once: measure with fewer (-t)",
                        n_threads),
            {}};
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

Result<double> measure_dram_gb_per_s(const DramProbeOptions& options) {
    const auto n_threads = static_cast<std::size_t>(std::max(1, options.n_threads));
    const std::size_t n_words = options.bytes / sizeof(std::uint64_t) / n_threads;
    const std::unique_ptr<std::uint64_t[]> words(new (std::nothrow)
                                                     std::uint64_t[n_words * n_threads]);
    if (words == nullptr) {
        return Error{fmt::format("the {:.0f} MiB that the memory's rate is measured with are not "
                                 "to be had: end other programs, or lift the limit on memory",
                                 in_mib(options.bytes)),
                     {}};
    }
    const auto part = [&](std::size_t i) { return std::span(&words[i * n_words], n_words); };
    // A part is written first, and so placed, by the thread that reads it.
    if (!on_threads(n_threads, [&](std::size_t i) { std::ranges::fill(part(i), i + 1); })) {
        return no_threads(n_threads);
    }
    std::atomic<std::uint64_t> sink = 0;  // keeps the reads alive
    bool all_read = true;                 // else a pass was short, as it left parts out
    const auto read_all = [&] {
        if (!on_threads(n_threads, [&](std::size_t i) { sink += sum_of(part(i)); }))
            all_read = false;
    };
    const Seconds best = shortest_pass(read_all, options.seconds);
    if (!all_read) return no_threads(n_threads);
    return double(n_words * n_threads * sizeof(std::uint64_t)) / best / 1e9;
}

}  // namespace pshard
