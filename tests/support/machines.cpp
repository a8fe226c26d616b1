#include "support/machines.h"

#include <optional>
#include <vector>

#include "base/result.h"
#include "build_paths.h"
#include "machine/profile_text.h"

namespace pshard::testing_support {
namespace {

void scale(std::optional<double>& rate, double factor) {
    if (rate) *rate *= factor;
}

// A row that reads at more than half of the memory's rate is bound by the memory.
void scale_rows(std::vector<OpRow>& rows, double memory_rate, double memory, double flops) {
    for (OpRow& row : rows) {
        const double factor = row.gb_per_s > memory_rate / 2 ? memory : flops;
        row.gb_per_s *= factor;
        row.gflops *= factor;
        scale(row.gflops_under_copies, factor);
    }
}

void scale_gpu(GpuProfile& gpu, const TestMachine& machine) {
    scale_rows(gpu.rows, gpu.memory_gb_per_s.value(), machine.gpu_memory, machine.gpu_flops);
    scale(gpu.memory_gb_per_s, machine.gpu_memory);
    scale(gpu.vector_gflops, machine.gpu_flops);
}

void scale_cpu(CpuProfile& cpu, const TestMachine& machine) {
    scale_rows(cpu.rows, cpu.dram_gb_per_s.value(), machine.cpu_memory, machine.cpu_flops);
    scale(cpu.dram_gb_per_s, machine.cpu_memory);
    scale(cpu.vector_gflops, machine.cpu_flops);
}

void scale_link(LinkProfile& link, double factor) {
    scale(link.standalone_gb_per_s, factor);
    scale(link.concurrent_gb_per_s, factor);
    scale(link.pageable_gb_per_s, factor);
    for (SlicePoint& point : link.sliced) point.gb_per_s *= factor;
}

}  // namespace

MachineProfile reference_profile() {
    const std::string folder = PSHARD_SOURCE_DIR "/profiles/reference/";
    auto profile = read_profile_files({folder + "cpu_profile.txt", folder + "gpu_profile.txt"}, 8);
    PSHARD_CHECK(profile.ok());
    return std::move(profile).value();
}

MachineProfile machine_profile(const TestMachine& machine) {
    MachineProfile profile = reference_profile();
    scale_gpu(profile.gpu.value(), machine);
    scale_cpu(profile.cpu.value(), machine);
    scale_link(profile.link, machine.link);
    return profile;
}

}  // namespace pshard::testing_support
