// Runs the measurements of a profiler in their order.
//
// In: options and the ops to time. Out: a profile, and notes on what is missing.
//
//   CPU   memory and graph | link | ops, alone and beside copies        | memory and graph again
//   GPU   driver's memory, by helpers | launches | ops, beside copies too
//
// A time limit is shared out: the helpers end at a quarter of it, the link after 30 %, and the ops
// have what is left, at least 30 % and a second. What there was no time for is absent from the
// profile, and a note says so.
//
// Traps: an idle GPU slows its link down, so the link is identified while copies run. Whatever else
// runs on the machine only makes figures worse: memory and graphs of the CPU are measured at both
// ends, and the better figure counts. Operands must not come from a cache, so the pool that ops
// walk through is at least three times the last level. After Ctrl-C the figures are worth nothing
// (`stopped`).
#include "profiler/measure.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <thread>

#include "machine/identity.h"
#include "probe/copy_load.h"
#include "probe/devices.h"
#include "probe/dram_probe.h"
#include "probe/launch_probe.h"
#include "probe/link_probe.h"
#include "probe/profile_ops.h"
#include "profiler/device_memory.h"
#include "profiler/guards.h"

namespace pshard::tool {
namespace {

constexpr SamplePolicy kFullLinkPolicy{7, 60, 0.4, 0.10};
constexpr double kLinkTimeShare = 0.3;  // of the time limit, at most
constexpr double kHelpersTimeShare = 0.25;
constexpr double kLeastOpsShare = 0.3;  // left for the ops, however long the rest took
constexpr Seconds kLeastOpsSeconds = 1;
constexpr Seconds kEndSeconds = 0.8;          // the second probe of a CPU's memory and graphs
constexpr Bytes kGpuCacheBytes = 128 * kMiB;  // the largest last level of today's GPUs

// One run of a profiler: what measure_cpu() and measure_gpu() share.
class Run {
public:
    Run(const ProfilerOptions& options, Progress& progress)
        : options_(options), progress_(progress) {}

    [[nodiscard]] bool ends(double share) const {
        return stop_wanted() ||
               (options_.time_limit && progress_.elapsed() > share * *options_.time_limit);
    }

    // Identifies the link while it copies: an idle GPU slows it down.
    void identify(ggml_backend_dev_t gpu) {
        MachineIdentity machine = this_machine();
        if (gpu != nullptr) {
            const DeviceInfo info = info_of(gpu);
            machine.gpu_name = info.description;
            const auto copies = CopyLoad::start(gpu, {});
            if (copies) std::this_thread::sleep_for(std::chrono::milliseconds(200));
            machine.link_name = link_name(info.bus_id);
        }
        set_identity(machine, measured.profile);
    }

    Status measure_link(ggml_backend_dev_t gpu) {
        const Result<LaunchCosts> launches = measure_launches(gpu, 1, {});
        if (!launches) return launches.error();
        LinkProbeOptions link;
        link.full = options_.full;
        if (link.full) link.policy = kFullLinkPolicy;
        link.kernel_launch = launches.value().node;
        link.on_progress = [this](const std::string& what, double share) {
            progress_.show(what, share);
        };
        const Seconds begin = progress_.elapsed();
        const auto late = [&] {
            return options_.time_limit &&
                   progress_.elapsed() - begin > kLinkTimeShare * *options_.time_limit;
        };
        link.wants_stop = [&] { return stop_wanted() || late(); };
        Result<LinkProbe> probe = probe_link(gpu, link);
        if (!probe) return probe.error();
        measured.profile.link = std::move(probe.value().link);
        for (const std::string& text : probe.value().notes) note(text);
        if (late()) note("the time limit cut the link's figures short");
        return Done{};
    }

    Result<MeasuredOps> time_ops(ggml_backend_dev_t device,
                                 ggml_backend_dev_t gpu,
                                 const std::vector<OpCase>& cases) {
        ProfileOpsOptions ops;
        ops.bench.n_threads = options_.n_threads;
        const Bytes cache = device == gpu ? kGpuCacheBytes : last_level_cache_bytes();
        ops.bench.cache_bytes = std::max(ops.bench.cache_bytes, cache);
        ops.bench.pool_bytes = std::max(ops.bench.pool_bytes, 3 * ops.bench.cache_bytes);
        if (options_.time_limit) {
            ops.time_limit = std::max({kLeastOpsSeconds,
                                       kLeastOpsShare * *options_.time_limit,
                                       *options_.time_limit - progress_.elapsed() - kEndSeconds});
        }
        if (gpu != nullptr) ops.start_copies = [gpu] { return CopyLoad::start(gpu, {}); };
        ops.on_progress = [this](const OpProgress& at) { progress_.show(at.what, at.done_share); };
        ops.wants_stop = stop_wanted;
        Result<MeasuredOps> timed = profile_ops(device, cases, ops);
        if (!timed) return timed;
        measured.left_out = timed.value().left_out;
        for (const OpCase& c : timed.value().unreached) measured.unreached.push_back(describe(c));
        measured.stopped = stop_wanted();
        if (const std::string busy = busy_note(timed.value().rows); !busy.empty()) note(busy);
        if (!timed.value().rows.empty() || measured.stopped) return timed;
        return Error{"not one op was measured in the time that was given; give more (--time-limit)",
                     {}};
    }

    void note(const std::string& text) { measured.notes.push_back(text); }

    Measured measured{};

private:
    const ProfilerOptions& options_;
    Progress& progress_;
};

// The GPU that the CPU's profile measures the link to; nullptr: there is none, and none was named.
Result<ggml_backend_dev_t> wanted_gpu(const ProfilerOptions& options, Run& run) {
    Result<ggml_backend_dev_t> gpu = find_gpu(options.device);
    if (gpu || !options.device.empty()) return gpu;
    run.note("no GPU: the link was not measured. " + gpu.error().message);
    return static_cast<ggml_backend_dev_t>(nullptr);
}

// Measures memory bandwidth and the time of a graph, and keeps the better of now and before. Called
// at both ends of a run, since whatever else runs can only slow them down.
Status probe_basics(ggml_backend_dev_t device, CpuProfile& cpu) {
    const Result<double> dram =
        measure_dram_gb_per_s({.n_threads = cpu.n_threads, .bytes = kGiB / 2, .seconds = 0.4});
    if (!dram) return dram.error();
    cpu.dram_gb_per_s = std::max(cpu.dram_gb_per_s.value_or(0), dram.value());
    const Result<LaunchCosts> launches = measure_launches(device, cpu.n_threads, {});
    if (!launches) return launches.error();
    if (const auto graph = launches.value().graph) {
        cpu.graph_us = std::min(cpu.graph_us.value_or(HUGE_VAL), *graph * 1e6);
    }
    return Done{};
}

// Sets the figures of copies that ran while ops did.
void set_loaded(const MeasuredOps& ops, CpuProfile& cpu, LinkProfile& link) {
    if (ops.share_under_copies) cpu.copy_efficiency_percent = 100 * *ops.share_under_copies;
    if (!ops.copies_bytes_per_second) return;
    link.concurrent_gb_per_s = *ops.copies_bytes_per_second / 1e9;
    link.concurrent_measured = true;
}

}  // namespace

Result<Measured> measure_cpu(const ProfilerOptions& options,
                             const std::vector<OpCase>& cases,
                             Progress& progress) {
    Run run(options, progress);
    const Result<ggml_backend_dev_t> device = find_cpu();
    if (!device) return device.error();
    const Result<ggml_backend_dev_t> gpu = wanted_gpu(options, run);
    if (!gpu) return gpu.error();
    CpuProfile cpu;
    cpu.n_threads = options.n_threads;
    progress.begin_part(0, 0.05);
    progress.show("memory bandwidth", 0);
    if (const Status probed = probe_basics(device.value(), cpu); !probed) return probed.error();
    run.identify(gpu.value());
    progress.begin_part(0.05, 0.3);
    if (gpu.value() != nullptr) {
        const Status linked = run.measure_link(gpu.value());
        if (!linked) return linked.error();
    }
    progress.begin_part(gpu.value() != nullptr ? 0.3 : 0.05, 1);
    Result<MeasuredOps> ops = run.time_ops(device.value(), gpu.value(), cases);
    if (!ops) return ops.error();
    if (const Status again = probe_basics(device.value(), cpu); !again) return again.error();
    put_ops(ops.value(), cpu);
    set_loaded(ops.value(), cpu, run.measured.profile.link);
    run.measured.profile.cpu = std::move(cpu);
    return std::move(run.measured);
}

Result<Measured> measure_gpu(const ProfilerOptions& options,
                             const std::vector<OpCase>& cases,
                             Progress& progress) {
    Run run(options, progress);
    const Result<ggml_backend_dev_t> device = find_gpu(options.device);
    if (!device) return device.error();
    GpuProfile gpu;
    gpu.backend = ggml_backend_dev_name(device.value());
    const Bytes memory = memory_of(device.value()).total;
    if (memory > 0) gpu.memory_mib = in_mib(memory);
    progress.begin_part(0, 0.2);
    progress.show("device memory outside of allocations", 0);
    const HelperOptions helpers{[&] { return run.ends(kHelpersTimeShare); },
                                [&](const std::string& text) { run.note(text); }};
    measure_overhead(device.value(), helpers, gpu);
    progress.show("launches", 0.5);
    const Result<LaunchCosts> launches = measure_launches(device.value(), 1, {});
    if (!launches) return launches.error();
    if (launches.value().graph) gpu.subgraph_us = *launches.value().graph * 1e6;
    measure_uncaptured(device.value(), helpers, gpu);
    run.identify(device.value());
    progress.begin_part(0.2, 1);
    Result<MeasuredOps> ops = run.time_ops(device.value(), device.value(), cases);
    if (!ops) return ops.error();
    put_ops(ops.value(), gpu);
    if (!gpu.memory_gb_per_s) run.note("no matmul of one token: the memory bandwidth is not known");
    run.measured.profile.gpu = std::move(gpu);
    return std::move(run.measured);
}

}  // namespace pshard::tool
