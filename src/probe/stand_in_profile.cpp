#include "probe/stand_in_profile.h"

#include "probe/dram_probe.h"
#include "probe/op_lists.h"
#include "probe/profile_ops.h"

namespace pshard {

Result<CpuProfile> measure_stand_in_cpu(int n_threads, Seconds limit) {
    const Result<ggml_backend_dev_t> device = find_cpu();
    if (!device) return device.error();
    CpuProfile cpu;
    cpu.n_threads = n_threads;
    const Result<double> dram =
        measure_dram_gb_per_s({.n_threads = n_threads, .bytes = 256 * kMiB, .seconds = 0.3});
    if (!dram) return dram.error();
    cpu.dram_gb_per_s = dram.value();
    ProfileOpsOptions options;
    options.bench.n_threads = n_threads;
    options.bench.pool_bytes = 128 * kMiB;
    options.bench.sampling = {.min_samples = 3, .max_samples = 10, .budget = 0.03};
    options.time_limit = limit;
    const Result<MeasuredOps> ops =
        profile_ops(device.value(), cpu_op_list(OpListSize::Fast), options);
    if (!ops) return ops.error();
    if (ops.value().rows.empty()) return Error{"no op of the CPU was measured in time", {}};
    put_ops(ops.value(), cpu);
    return cpu;
}

}  // namespace pshard
