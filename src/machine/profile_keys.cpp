#include "machine/profile_keys.h"

namespace pshard {

namespace {

constexpr std::array kNumberKeys = {
    NumberKey{"machine.cpu_cores", &MachineProfile::cpu_cores},
    NumberKey{"machine.host_memory_mib", &MachineProfile::host_memory_mib},
    NumberKey{"cpu.copy_efficiency_percent", &CpuProfile::copy_efficiency_percent, true},
    NumberKey{"cpu.vector_gflops", &CpuProfile::vector_gflops},
    NumberKey{"cpu.launch_us", &CpuProfile::launch_us},
    NumberKey{"cpu.graph_us", &CpuProfile::graph_us},
    NumberKey{"gpu.copy_efficiency_percent", &GpuProfile::copy_efficiency_percent},
    NumberKey{"gpu.vector_gflops", &GpuProfile::vector_gflops},
    NumberKey{"gpu.memory_mib", &GpuProfile::memory_mib},
    NumberKey{"gpu.overhead_mib", &GpuProfile::overhead_mib},
    NumberKey{"gpu.overhead_unseen_mib", &GpuProfile::overhead_unseen_mib},
    NumberKey{"gpu.launch_us", &GpuProfile::launch_us},
    NumberKey{"gpu.launch_uncaptured_us", &GpuProfile::launch_uncaptured_us},
    NumberKey{"gpu.subgraph_us", &GpuProfile::subgraph_us},
    NumberKey{"gpu.subgraph_uncaptured_us", &GpuProfile::subgraph_uncaptured_us},
    NumberKey{"gpu.scan_step_us", &GpuProfile::scan_step_us},
    NumberKey{"link.standalone_gb_per_s", &LinkProfile::standalone_gb_per_s, true},
    NumberKey{"link.concurrent_gb_per_s", &LinkProfile::concurrent_gb_per_s, true},
    NumberKey{"link.d2h_gb_per_s", &LinkProfile::d2h_gb_per_s},
    NumberKey{"link.duplex_gb_per_s", &LinkProfile::duplex_gb_per_s},
    NumberKey{"link.under_gpu_gb_per_s", &LinkProfile::under_gpu_gb_per_s},
    NumberKey{"link.registered_gb_per_s", &LinkProfile::registered_gb_per_s},
    NumberKey{"link.pageable_gb_per_s", &LinkProfile::pageable_gb_per_s},
    NumberKey{"link.page_lock_ceiling_gb", &LinkProfile::page_lock_ceiling_gb},
    NumberKey{"link.register_s_per_gib", &LinkProfile::register_s_per_gib},
    NumberKey{"link.copy_setup_us", &LinkProfile::copy_setup_us},
    NumberKey{"link.event_us", &LinkProfile::event_us},
    NumberKey{"link.engine_switch_us", &LinkProfile::engine_switch_us},
};

constexpr std::array kTextKeys = {
    TextKey{"cpu_name", &MachineProfile::cpu_name},
    TextKey{"gpu_name", &MachineProfile::gpu_name},
    TextKey{"os_name", &MachineProfile::os_name},
    TextKey{"gpu_driver", &MachineProfile::gpu_driver},
    TextKey{"link_name", &MachineProfile::link_name},
    TextKey{"ggml_version", &MachineProfile::ggml_version},
    TextKey{"date", &MachineProfile::date},
    TextKey{"source", &MachineProfile::source},
};

using Number = std::optional<double>;

// Where a field stands; nullptr when its half of the profile is missing.
template <typename Profile>
auto* find(Profile& profile, Number CpuProfile::*field) {
    return profile.cpu ? &((*profile.cpu).*field) : nullptr;
}

template <typename Profile>
auto* find(Profile& profile, Number GpuProfile::*field) {
    return profile.gpu ? &((*profile.gpu).*field) : nullptr;
}

template <typename Profile>
auto* find(Profile& profile, Number LinkProfile::*field) {
    return &(profile.link.*field);
}

template <typename Profile>
auto* find(Profile& profile, Number MachineProfile::*field) {
    return &(profile.*field);
}

}  // namespace

KeyHome link_home(const MachineProfile& profile) {
    return profile.cpu ? KeyHome::Cpu : KeyHome::Gpu;
}

bool NumberKey::stands_in(KeyHome home, const MachineProfile& profile) const {
    if (std::holds_alternative<Number CpuProfile::*>(field)) return home == KeyHome::Cpu;
    if (std::holds_alternative<Number GpuProfile::*>(field)) return home == KeyHome::Gpu;
    if (std::holds_alternative<Number LinkProfile::*>(field)) return home == link_home(profile);
    return true;
}

bool NumberKey::may_be_zero() const {
    return name.ends_with("_us") || name.starts_with("gpu.overhead");
}

std::optional<double> NumberKey::get(const MachineProfile& profile) const {
    const Number* found = std::visit([&](auto member) { return find(profile, member); }, field);
    return found != nullptr ? *found : std::nullopt;
}

void NumberKey::set(MachineProfile& profile, double value) const {
    Number* found = std::visit([&](auto member) { return find(profile, member); }, field);
    const bool keeps_first = std::holds_alternative<Number MachineProfile::*>(field);
    if (found != nullptr && !(keeps_first && *found)) *found = value;
}

std::span<const NumberKey> number_keys() { return kNumberKeys; }

std::span<const TextKey> text_keys() { return kTextKeys; }

}  // namespace pshard
