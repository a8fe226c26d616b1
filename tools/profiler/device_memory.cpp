#include "profiler/device_memory.h"

#include <algorithm>
#include <array>
#include <sstream>

#include <fmt/format.h>

#include "ops/cuda_pool.h"
#include "profiler/helper.h"

namespace pshard::tool {
namespace {

constexpr std::array<std::int64_t, 3> kBatches = {1, 512, kLargestSample};
constexpr Bytes kProbe = 64 * kMiB;

// Whether memory that is taken is missing from what the device calls free.
bool tells_what_is_in_use(ggml_backend_dev_t device) {
    const Bytes before = memory_of(device).free;
    const auto buffer = allocate(ggml_backend_dev_buffer_type(device), kProbe);
    return buffer && memory_of(device).free + kProbe <= before;
}

bool captures_graphs(ggml_backend_dev_t device) {
    const std::string name = ggml_backend_reg_name(ggml_backend_dev_backend_reg(device));
    return name == "CUDA" || name == "ROCm" || name == "MUSA";
}

// Keeps a figure. `taken`: bytes that a run took, as seen from outside. `seen`: the helper's own
// count of them.
void keep_point(GpuProfile& gpu, std::int64_t n_ubatch, Bytes taken, std::int64_t seen) {
    gpu.overhead.push_back({n_ubatch, in_mib(taken)});
    gpu.overhead_mib = std::max(gpu.overhead_mib.value_or(0), gpu.overhead.back().mib);
    if (seen < 0 || Bytes(seen) > taken) return;
    const double unseen = in_mib(taken - Bytes(seen));
    gpu.overhead_unseen_mib = std::min(gpu.overhead_unseen_mib.value_or(unseen), unseen);
}

}  // namespace

void measure_overhead(ggml_backend_dev_t device, const HelperOptions& options, GpuProfile& gpu) {
    if (!tells_what_is_in_use(device)) {
        return options.note(
            fmt::format("{} does not tell what memory is in use: what a run takes "
                        "outside our allocations is not known",
                        ggml_backend_dev_name(device)));
    }
    Result<Helper> helper = Helper::start({});
    if (!helper) return options.note(helper.error().text());
    const Bytes before = memory_of(device).free;
    for (const std::int64_t n_ubatch : kBatches) {
        if (options.ends()) return;
        const Result<std::string> ran =
            helper.value().ask(fmt::format("run {} {}", ggml_backend_dev_name(device), n_ubatch));
        if (!ran) return options.note(ran.error().text());
        const Bytes after = memory_of(device).free;
        if (after >= before) continue;
        keep_point(gpu, n_ubatch, before - after, std::stoll(ran.value()));
    }
}

void measure_uncaptured(ggml_backend_dev_t device, const HelperOptions& options, GpuProfile& gpu) {
    if (!captures_graphs(device) || options.ends()) return;
    Result<Helper> helper = Helper::start({{"GGML_CUDA_DISABLE_GRAPHS", "1"}});
    if (!helper) return options.note(helper.error().text());
    const Result<std::string> answer =
        helper.value().ask(fmt::format("launch {}", ggml_backend_dev_name(device)));
    if (!answer) return options.note(answer.error().text());
    std::istringstream numbers(answer.value());
    Seconds node = 0;
    Seconds graph = 0;
    numbers >> node >> graph;
    gpu.launch_uncaptured_us = node * 1e6;
    if (graph >= 0) gpu.subgraph_uncaptured_us = graph * 1e6;
}

}  // namespace pshard::tool
