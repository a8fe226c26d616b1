#include "machine/assumed_machine.h"

#include <fmt/format.h>

namespace pshard {
namespace {

struct Figures {
    double link_gb_per_s;      // page-locked
    double pageable_gb_per_s;  // a third of it, as [A19] found
    double gpu_gflops;         // of products
    double gpu_gb_per_s;
    double cpu_gflops;
    double cpu_gb_per_s;
};

constexpr Figures kAssumed{12, 4, 20000, 360, 400, 45};

// A product that is bound by compute, whatever its batch.
OpRow product(double gflops, double gb_per_s) {
    OpRow row{.op = "MUL_MAT", .quant = "f16", .gb_per_s = gb_per_s, .gflops = gflops};
    row.n = 4096;
    row.k = 4096;
    row.batch = 512;
    return row;
}

}  // namespace

MachineProfile assumed_machine(AssumedLink link) {
    MachineProfile machine;
    machine.source = "assumed";
    machine.provenance = Provenance::Derived;
    CpuProfile& cpu = machine.cpu.emplace();
    cpu.dram_gb_per_s = kAssumed.cpu_gb_per_s;
    cpu.rows = {product(kAssumed.cpu_gflops, 1)};
    GpuProfile& gpu = machine.gpu.emplace();
    gpu.memory_gb_per_s = kAssumed.gpu_gb_per_s;
    gpu.rows = {product(kAssumed.gpu_gflops, 1)};
    const bool locked = link == AssumedLink::PageLocked;
    const double rate = locked ? kAssumed.link_gb_per_s : kAssumed.pageable_gb_per_s;
    machine.link.standalone_gb_per_s = rate;
    machine.link.pageable_gb_per_s = rate;
    return machine;
}

std::string assumed_machine_text() {
    return fmt::format(
        "a link of {:g} GB/s ({:g} from memory that is not page-locked), a GPU of "
        "{:g} TFLOP/s and {:g} GB/s, a CPU of {:g} GFLOP/s and {:g} GB/s",
        kAssumed.link_gb_per_s,
        kAssumed.pageable_gb_per_s,
        kAssumed.gpu_gflops / 1e3,
        kAssumed.gpu_gb_per_s,
        kAssumed.cpu_gflops,
        kAssumed.cpu_gb_per_s);
}

}  // namespace pshard
