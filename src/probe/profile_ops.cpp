#include "probe/profile_ops.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "probe/copy_load.h"
#include "probe/op_lists.h"

namespace pshard {

namespace {

// An op that takes hardly longer than its launch: its own share is not known better than this.
constexpr double kLeastWorkShare = 0.1;

constexpr double kComputeBound = 10;  // FLOP/byte: GPU_Peak_Compute is the best rate above it

// Of the time limit, for timing again under copies.
constexpr double kUnderCopiesShare = 0.3;

class Profiling {
public:
    Profiling(OpBench bench, const ProfileOpsOptions& options)
        : bench_(std::move(bench)), options_(options) {}

    Result<MeasuredOps> run(const std::vector<OpCase>& cases) {
        const Result<Seconds> launch = bench_.launch_seconds();
        if (!launch) return launch.error();
        measured_.launch_seconds = launch.value();
        const double alone = options_.start_copies ? 1 - kUnderCopiesShare : 1;
        for (std::size_t i = 0; i < cases.size(); i++) {
            if (ends(alone)) {
                measured_.n_cases_unreached = cases.size() - i;
                break;
            }
            report(describe(cases[i]), alone * double(i) / double(cases.size()), alone);
            time_alone(cases[i]);
        }
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

    // The op's own time.
    [[nodiscard]] Seconds work_seconds(Seconds whole) const {
        return std::max(whole - measured_.launch_seconds, kLeastWorkShare * whole);
    }

    void time_alone(const OpCase& op_case) {
        const Result<OpTiming> timing = bench_.time(op_case);
        if (!timing) {
            measured_.left_out.push_back(timing.error().text());
            return;
        }
        const Sample& sample = timing.value().sample;
        OpRow row = row_of(op_case, work_seconds(sample.median));
        if (sample.spread > options_.bench.sampling.max_spread) {
            row.noisy_percent = 100 * sample.spread;
        }
        measured_.rows.push_back(std::move(row));
        timed_.push_back(op_case);
    }

    Status time_under_copies(double begin_share) {
        Result<std::unique_ptr<CopyLoad>> copies = options_.start_copies();
        if (!copies) return copies.error();
        const CopyLoad& load = *copies.value();
        double alone = 0;
        double loaded = 0;
        double copied = 0;
        for (std::size_t i = 0; i < timed_.size() && !ends(1); i++) {
            if (!is_worth_timing_under_copies(timed_[i])) continue;
            report(describe(timed_[i]) + " under copies",
                   begin_share + (1 - begin_share) * double(i) / double(timed_.size()),
                   1);
            const Result<OpTiming> timing = bench_.time(timed_[i], [&] { return load.bytes(); });
            if (!timing) return timing.error();
            OpRow& row = measured_.rows[i];
            const Seconds seconds = work_seconds(timing.value().sample.median);
            const double gflops = case_flops(timed_[i]) / seconds / 1e9;
            row.gflops_under_copies = gflops;
            row.link_gb_per_s = timing.value().counted_per_second / 1e9;
            alone += row.gflops;
            loaded += std::min(gflops, row.gflops);
            copied += timing.value().counted_per_second;
            n_loaded_++;
        }
        if (n_loaded_ == 0) return Done{};
        measured_.share_under_copies = loaded / alone;
        measured_.copies_bytes_per_second = copied / n_loaded_;
        return Done{};
    }

    OpBench bench_;
    const ProfileOpsOptions& options_;
    std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
    MeasuredOps measured_{};
    std::vector<OpCase> timed_{};  // one for each row
    int n_loaded_ = 0;
};

}  // namespace

void put_ops(const MeasuredOps& ops, CpuProfile& cpu) {
    cpu.launch_us = ops.launch_seconds * 1e6;
    cpu.rows = ops.rows;
    cpu.dram_gb_per_s = std::max(cpu.dram_gb_per_s.value_or(0), streamed_gb_per_s(cpu.rows));
    finish_ridges(cpu.rows, *cpu.dram_gb_per_s);
}

void put_ops(const MeasuredOps& ops, GpuProfile& gpu) {
    gpu.launch_us = ops.launch_seconds * 1e6;
    if (ops.share_under_copies) gpu.copy_efficiency_percent = 100 * *ops.share_under_copies;
    gpu.rows = ops.rows;
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
