// Where a host comes in: ggml_backend_init of the loadable library. The one place that looks at the
// environment, once.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "simgpu/gpu.h"

namespace pshard::simgpu {

namespace {

void print_faults() {
    const Gpu& gpu = *gpu_of_environment();
    const Stats stats = gpu.stats();
    std::fprintf(stderr,
                 "simgpu: %lu faults, %lu kernels, %lu bytes up, %lu bytes down, %lu bytes peak\n",
                 gpu.watch.n_faults(),
                 stats.n_kernels,
                 stats.bytes_h2d,
                 stats.bytes_d2h,
                 stats.peak_allocated_bytes);
}

// Never freed: its threads may work, and hosts may hold its structs, until the process is gone.
Gpu* make_gpu() {
    const ParsedSettings parsed = read_settings(environ);
    if (!parsed.problem.empty()) {
        std::fprintf(stderr, "simgpu: %s\n", parsed.problem.c_str());
        return nullptr;
    }
    if (parsed.settings.on_fault == OnFault::Count) std::atexit(print_faults);
    return new Gpu(parsed.settings);
}

}  // namespace

Gpu* gpu_of_environment() {
    static Gpu* gpu = make_gpu();
    return gpu;
}

}  // namespace pshard::simgpu

extern "C" {

GGML_BACKEND_API ggml_backend_reg_t ggml_backend_init(void) {
    pshard::simgpu::Gpu* gpu = pshard::simgpu::gpu_of_environment();
    return gpu == nullptr ? nullptr : &gpu->reg;
}
}
