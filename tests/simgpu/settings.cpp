#include "simgpu/settings.h"

#include <cstdlib>

#include "simgpu/variables.h"

namespace pshard::simgpu {

namespace {

class Reader : public Variables {
public:
    explicit Reader(const char* const* environment) : Variables(environment, "SIMGPU_") {}

    // The number of that name, where there is one.
    void number(const std::string& name, double least, double& value) {
        const std::string* found = find(name);
        if (found == nullptr) return;
        char* end = nullptr;
        const double read = std::strtod(found->c_str(), &end);
        if (end == found->c_str() || *end != '\0' || !(read >= least)) return refuse(name);
        value = read;
    }

    void on_fault(OnFault& value) {
        const std::string name = "SIMGPU_CHECK";
        const std::string* found = find(name);
        if (found == nullptr) return;
        const std::string& word = *found;
        if (word != "0" && word != "1" && word != "count") return refuse(name);
        value = word == "0" ? OnFault::Ignore : word == "1" ? OnFault::Abort : OnFault::Count;
    }
};

}  // namespace

ParsedSettings read_settings(const char* const* environment) {
    constexpr double kMiB = 1 << 20U;
    Reader reader(environment);
    Settings settings;
    double memory_mib = static_cast<double>(settings.memory_bytes) / kMiB;
    double lockable_mib = static_cast<double>(settings.lockable_bytes) / kMiB;
    double context_mib = 0;
    double kernels_mib = 0;
    reader.number("SIMGPU_MEMORY_MIB", 1, memory_mib);
    reader.number("SIMGPU_CONTEXT_MIB", 0, context_mib);
    reader.number("SIMGPU_KERNELS_MIB", 0, kernels_mib);
    reader.number("SIMGPU_LOCKABLE_MIB", 0, lockable_mib);
    reader.number("SIMGPU_H2D_GBPS", 0, settings.h2d_gbps);
    reader.number("SIMGPU_D2H_GBPS", 0, settings.d2h_gbps);
    reader.number("SIMGPU_PAGEABLE_SHARE", 0.001, settings.pageable_share);
    reader.number("SIMGPU_GFLOPS", 0, settings.gflops);
    reader.number("SIMGPU_GBPS", 0, settings.gbps);
    reader.number("SIMGPU_LAUNCH_US", 0, settings.launch_us);
    reader.on_fault(settings.on_fault);
    settings.memory_bytes = static_cast<std::size_t>(memory_mib * kMiB);
    settings.context_bytes = static_cast<std::size_t>(context_mib * kMiB);
    settings.kernel_bytes = static_cast<std::size_t>(kernels_mib * kMiB);
    settings.lockable_bytes = static_cast<std::size_t>(lockable_mib * kMiB);
    return {settings, reader.problem()};
}

}  // namespace pshard::simgpu
