// How a list of cases is timed in rounds and becomes rows.
//
// In:   cases, a number of rounds, perhaps a time limit and copies to run meanwhile.
// Out:  rows with the work of each op alone; the launch; the share that is left under copies.
//
//     round 0   launch  case 0  case 1  case 2 ...      every case is visited once
//     round 1   launch  case 0  case 1  case 2 ...      begins only if time is left
//     ...
//     rows      mean of all times of a case, without the launch
//     under copies:  the matmuls worth it, as many rounds, while a CopyLoad runs
//
// A slow second of the machine hits one round of a few cases, not all times of one case.
//
// The rounds that are left share the time that is left, and so do the cases of a round. A visit
// also costs time besides its samples (graphs are made, operands filled): a running mean of that is
// taken off each case's time. With copies, 30 % of the time limit is kept for them.
//
// Traps: a case that fails once is never visited again, and is named instead. A case that takes
// hardly longer than its launch keeps at least a tenth of its time as work. The share under copies
// is the ratio of two sums, over all rows that were timed twice.
#include "probe/profile_ops.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "ops/op_table.h"
#include "probe/copy_load.h"
#include "probe/op_lists.h"

namespace pshard {

namespace {

// The least share of an op's time that counts as its work. An op that takes hardly longer than its
// launch is not known better.
constexpr double kLeastWorkShare = 0.1;

constexpr double kComputeBound = 10;  // FLOP/byte; rows above it give GPU_Peak_Compute

constexpr double kOverheadWeight = 0.1;  // of the latest visit in the running mean

// The share of the time limit that is kept for the timing under copies.
constexpr double kUnderCopiesShare = 0.3;

struct Visited {
    OpCase op_case{};
    OpSize size{};
    std::vector<std::vector<Seconds>> rounds{};  // the times of each visit
    std::optional<Error> failure{};
};

class Profiling {
public:
    Profiling(OpBench bench, const ProfileOpsOptions& options)
        : bench_(std::move(bench)), options_(options) {}

    Result<MeasuredOps> run(const std::vector<OpCase>& cases) {
        Visited launch{.op_case = launch_case()};
        std::vector<Visited> all;
        for (const OpCase& op_case : cases) all.push_back({.op_case = op_case});
        const double alone = options_.start_copies ? 1 - kUnderCopiesShare : 1;
        for (int round = 0; round < options_.n_rounds && (round == 0 || !ends(alone)); round++) {
            visit(launch, options_.bench.sampling.budget);
            visit_all(all, round, alone);
        }
        if (launch.failure) return *launch.failure;
        measured_.launch_seconds = pooled(launch.rounds).median;
        for (Visited& visited : all) keep(visited);
        if (options_.start_copies && !measured_.stopped) {
            if (Status timed = time_under_copies(alone); !timed) return timed.error();
        }
        return std::move(measured_);
    }

private:
    // Whether `share` of the time limit has gone by, or the user wants to stop.
    bool ends(double share) {
        if (options_.wants_stop && options_.wants_stop()) measured_.stopped = true;
        return measured_.stopped ||
               (options_.time_limit && elapsed() > share * *options_.time_limit);
    }

    [[nodiscard]] Seconds elapsed() const { return seconds_since(begin_); }

    void report(const std::string& what, double cases_share, double most) const {
        if (!options_.on_progress) return;
        const double time_share = options_.time_limit ? elapsed() / *options_.time_limit : 0;
        options_.on_progress({what, std::max(cases_share, std::min(most, time_share)), elapsed()});
    }

    [[nodiscard]] Seconds work_seconds(Seconds whole) const {
        return std::max(whole - measured_.launch_seconds, kLeastWorkShare * whole);
    }

    // What is left when a case of a round begins.
    struct RoundPlace {
        Seconds begin = 0;
        double share = 1;  // the share of the time limit that all rounds may take
        int n_rounds_left = 1;
        std::size_t n_cases_left = 1;
    };

    [[nodiscard]] Seconds budget_of(const RoundPlace& at) const {
        const Seconds most = options_.bench.sampling.budget;
        if (!options_.time_limit) return most;
        const Seconds left = at.share * *options_.time_limit - at.begin;
        const Seconds end = at.begin + left / at.n_rounds_left;
        return std::min(most, (end - elapsed()) / double(at.n_cases_left) - overhead_);
    }

    void visit_all(std::vector<Visited>& all, int round, double share) {
        const Seconds begin = elapsed();
        const int n_left = options_.n_rounds - round;
        for (std::size_t i = 0; i < all.size() && !ends(share); i++) {
            const double done =
                (double(round) + double(i) / double(all.size())) / options_.n_rounds;
            report(describe(all[i].op_case), share * done, share);
            visit(all[i], budget_of({begin, share, n_left, all.size() - i}));
        }
    }

    void visit(Visited& visited, Seconds budget) {
        if (visited.failure) return;
        const Seconds begin = elapsed();
        const Result<OpVisit> made = bench_.visit(visited.op_case, visited.size, budget);
        if (!made) {
            visited.failure = made.error();
            return;
        }
        const std::vector<Seconds>& times = made.value().times;
        visited.rounds.push_back(times);
        const Seconds sampled =
            std::accumulate(times.begin(), times.end(), 0.0) * visited.size.n_nodes;
        overhead_ += kOverheadWeight * (elapsed() - begin - sampled - overhead_);
    }

    void keep(Visited& visited) {
        if (visited.failure) return measured_.left_out.push_back(visited.failure->text());
        if (visited.rounds.empty()) return measured_.unreached.push_back(visited.op_case);
        const Sample sample = pooled(visited.rounds);
        OpRow row = row_of(visited.op_case, work_seconds(sample.mean));
        if (sample.spread > options_.bench.sampling.max_spread) {
            row.noisy_percent = 100 * sample.spread;
        }
        measured_.rows.push_back(std::move(row));
        timed_.push_back(std::move(visited));
    }

    Status time_under_copies(double begin_share) {
        Result<std::unique_ptr<CopyLoad>> copies = options_.start_copies();
        if (!copies) return copies.error();
        std::vector<LoadedRow> loaded;
        for (std::size_t i = 0; i < timed_.size(); i++) {
            if (is_worth_timing_under_copies(timed_[i].op_case)) loaded.push_back({.row = i});
        }
        for (int round = 0; round < options_.n_rounds; round++) {
            const double share =
                begin_share + (1 - begin_share) * double(round) / options_.n_rounds;
            Status timed = visit_loaded(loaded, round, share, *copies.value());
            if (!timed) return timed;
        }
        put_loaded(loaded);
        return Done{};
    }

    // A row that is timed again, and its rounds under copies.
    struct LoadedRow {
        std::size_t row = 0;
        std::vector<std::vector<Seconds>> rounds{};
        double copied = 0;  // sum of the bytes per second of each round
    };

    Status visit_loaded(std::vector<LoadedRow>& rows,
                        int round,
                        double share,
                        const CopyLoad& load) {
        const Seconds begin = elapsed();
        const int n_left = options_.n_rounds - round;
        for (std::size_t i = 0; i < rows.size() && !ends(1); i++) {
            Visited& timed = timed_[rows[i].row];
            report(describe(timed.op_case) + " under copies", share, 1);
            const Seconds budget = budget_of({begin, 1, n_left, rows.size() - i});
            const Result<OpVisit> made =
                bench_.visit(timed.op_case, timed.size, budget, [&] { return load.bytes(); });
            if (!made) return made.error();
            rows[i].rounds.push_back(made.value().times);
            rows[i].copied += made.value().counted_per_second;
        }
        return Done{};
    }

    void put_loaded(const std::vector<LoadedRow>& rows) {
        double alone = 0;
        double loaded = 0;
        double copied = 0;
        int n = 0;
        for (const LoadedRow& timed : rows) {
            if (timed.rounds.empty()) continue;
            OpRow& row = measured_.rows[timed.row];
            const Seconds seconds = work_seconds(pooled(timed.rounds).mean);
            const double gflops = sums_of(timed_[timed.row].op_case).flops / seconds / 1e9;
            const double bytes_per_second = timed.copied / double(timed.rounds.size());
            row.gflops_under_copies = gflops;
            row.link_gb_per_s = bytes_per_second / 1e9;
            alone += row.gflops;
            loaded += std::min(gflops, row.gflops);
            copied += bytes_per_second;
            n++;
        }
        if (n == 0) return;
        measured_.share_under_copies = loaded / alone;
        measured_.copies_bytes_per_second = copied / n;
    }

    OpBench bench_;
    const ProfileOpsOptions& options_;
    std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
    MeasuredOps measured_{};
    Seconds overhead_ = 0;          // running mean of what a visit takes besides its samples
    std::vector<Visited> timed_{};  // one for each row of measured_
};

// The rates of a recurrence over many tokens.
struct Recurrence {
    double gflops = 0;
    Seconds step_seconds = 0;  // per token
};

// The recurrence of the row with the most tokens. The result of such a row holds [d, heads, tokens]
// values, and behind them a state of d x d for each head.
std::optional<Recurrence> recurrence_of(const std::vector<OpRow>& rows) {
    const OpRow* longest = nullptr;
    for (const OpRow& row : rows) {
        if (op_rule(row.op).family != OpFamily::Scan) continue;
        if (longest == nullptr || row.n_tokens > longest->n_tokens) longest = &row;
    }
    if (longest == nullptr) return std::nullopt;
    const double d = double(longest->head_dim);
    const double tokens = double(longest->n_tokens);
    const double heads = double(longest->n_elements) / (d * (tokens + d));
    const double flops = op_rule(longest->op).flops * d * d * heads;
    const Seconds step = flops / (longest->gflops * 1e9);
    return Recurrence{longest->gflops, step};
}

}  // namespace

std::string busy_note(const std::vector<OpRow>& rows) {
    const auto noisy = static_cast<std::size_t>(std::ranges::count_if(
        rows, [](const OpRow& row) { return row.noisy_percent.has_value(); }));
    if (2 * noisy <= rows.size()) return "";
    return fmt::format(
        "{} of {} ops were now fast, now slow: something else kept this machine busy, and plans by "
        "this profile may be far off; run again while nothing else does",
        noisy,
        rows.size());
}

void put_ops(const MeasuredOps& ops, CpuProfile& cpu) {
    cpu.launch_us = ops.launch_seconds * 1e6;
    cpu.rows = ops.rows;
    if (const auto found = recurrence_of(cpu.rows)) cpu.vector_gflops = found->gflops;
    cpu.dram_gb_per_s = std::max(cpu.dram_gb_per_s.value_or(0), streamed_gb_per_s(cpu.rows));
    finish_ridges(cpu.rows, *cpu.dram_gb_per_s);
}

void put_ops(const MeasuredOps& ops, GpuProfile& gpu) {
    gpu.launch_us = ops.launch_seconds * 1e6;
    if (ops.share_under_copies) gpu.copy_efficiency_percent = 100 * *ops.share_under_copies;
    gpu.rows = ops.rows;
    if (const auto found = recurrence_of(gpu.rows)) {
        gpu.vector_gflops = found->gflops;
        gpu.scan_step_us = found->step_seconds * 1e6;
    }
    for (const OpRow& row : gpu.rows) {
        if (row.intensity <= kComputeBound) continue;
        gpu.peak_gflops = std::max(gpu.peak_gflops.value_or(0), row.gflops);
    }
    const double streamed = streamed_gb_per_s(gpu.rows);
    if (streamed <= 0) return;
    gpu.memory_gb_per_s = streamed;
    finish_ridges(gpu.rows, streamed);
}

Result<MeasuredOps> profile_ops(ggml_backend_dev_t device,
                                const std::vector<OpCase>& cases,
                                const ProfileOpsOptions& options) {
    Result<OpBench> bench = OpBench::open(device, options.bench);
    if (!bench) return bench.error();
    return Profiling(std::move(bench).value(), options).run(cases);
}

}  // namespace pshard
