// A machine of one flop and one byte a second, so that a test's sum fits in its comment.
#pragma once

#include <string>

#include "cost/roofline.h"
#include "machine/machine_profile.h"

namespace pshard::test {

constexpr double kOne = 1e-9;  // 1 per second, in G per second

// A row that was compute-bound at `rate` flops a second.
inline OpRow compute_row(const std::string& quant, std::int64_t batch, double rate) {
    OpRow row{.op = "MUL_MAT", .quant = quant, .n = 4096, .k = 4096, .batch = batch};
    row.gflops = rate * kOne;
    row.gb_per_s = kOne;
    return row;
}

// GPU: 1 flop/s, 1 byte/s, no launch. CPU: half of both; under copies a quarter.
inline MachineProfile toy_profile() {
    MachineProfile profile;
    profile.gpu = GpuProfile{};
    profile.gpu->memory_gb_per_s = kOne;
    profile.gpu->vector_gflops = kOne;
    profile.gpu->launch_us = 0;
    profile.gpu->scan_step_us = 0;
    profile.gpu->rows = {compute_row("f16", 512, 1)};
    profile.cpu = CpuProfile{};
    profile.cpu->n_threads = 1;
    profile.cpu->dram_gb_per_s = 0.5 * kOne;
    profile.cpu->copy_efficiency_percent = 50;
    profile.cpu->vector_gflops = 0.5 * kOne;
    profile.cpu->launch_us = 0;
    profile.cpu->rows = {compute_row("f16", 512, 0.5)};
    profile.link.standalone_gb_per_s = kOne;
    profile.link.concurrent_gb_per_s = 0.5 * kOne;
    profile.link.copy_setup_us = 0;
    return profile;
}

inline std::optional<OpTime> op_time(const OpWork& work,
                                     Processor processor,
                                     const MachineProfile& profile) {
    return Roofline(profile).op_time(work, processor);
}

}  // namespace pshard::test
