#include "machine/profile_keys.h"

#include <array>
#include <charconv>
#include <cmath>

namespace pshard {

namespace {

constexpr NumberKey cpu_key(std::string_view name,
                            std::optional<double> CpuProfile::*field,
                            bool in_header = false) {
    return {name, KeySection::Cpu, in_header, field, nullptr, nullptr};
}

constexpr NumberKey gpu_key(std::string_view name, std::optional<double> GpuProfile::*field) {
    return {name, KeySection::Gpu, false, nullptr, field, nullptr};
}

constexpr NumberKey link_key(std::string_view name,
                             std::optional<double> LinkProfile::*field,
                             bool in_header = false) {
    return {name, KeySection::Link, in_header, nullptr, nullptr, field};
}

constexpr std::array kNumberKeys = {
    cpu_key("cpu.copy_efficiency_percent", &CpuProfile::copy_efficiency_percent, true),
    cpu_key("cpu.vector_gflops", &CpuProfile::vector_gflops),
    cpu_key("cpu.launch_us", &CpuProfile::launch_us),
    gpu_key("gpu.vector_gflops", &GpuProfile::vector_gflops),
    gpu_key("gpu.memory_mib", &GpuProfile::memory_mib),
    gpu_key("gpu.overhead_mib", &GpuProfile::overhead_mib),
    gpu_key("gpu.launch_us", &GpuProfile::launch_us),
    gpu_key("gpu.scan_step_us", &GpuProfile::scan_step_us),
    link_key("link.standalone_gb_per_s", &LinkProfile::standalone_gb_per_s, true),
    link_key("link.concurrent_gb_per_s", &LinkProfile::concurrent_gb_per_s, true),
    link_key("link.d2h_gb_per_s", &LinkProfile::d2h_gb_per_s),
    link_key("link.pageable_gb_per_s", &LinkProfile::pageable_gb_per_s),
    link_key("link.page_lock_ceiling_gb", &LinkProfile::page_lock_ceiling_gb),
    link_key("link.copy_setup_us", &LinkProfile::copy_setup_us),
    link_key("link.engine_switch_us", &LinkProfile::engine_switch_us),
};

constexpr std::array kTextKeys = {
    TextKey{"cpu_name", &MachineProfile::cpu_name},
    TextKey{"gpu_name", &MachineProfile::gpu_name},
    TextKey{"os_name", &MachineProfile::os_name},
    TextKey{"source", &MachineProfile::source},
};

constexpr std::array<std::string_view, 3> kProvenances = {"measured", "derived", "quick"};

}  // namespace

KeyHome link_home(const MachineProfile& profile) {
    return profile.cpu ? KeyHome::Cpu : KeyHome::Gpu;
}

KeyHome NumberKey::home(const MachineProfile& profile) const {
    if (section == KeySection::Link) return link_home(profile);
    return section == KeySection::Cpu ? KeyHome::Cpu : KeyHome::Gpu;
}

std::optional<double> NumberKey::get(const MachineProfile& profile) const {
    if (section == KeySection::Link) return profile.link.*link;
    if (section == KeySection::Cpu) return profile.cpu ? (*profile.cpu).*cpu : std::nullopt;
    return profile.gpu ? (*profile.gpu).*gpu : std::nullopt;
}

void NumberKey::set(MachineProfile& profile, double value) const {
    if (section == KeySection::Link) profile.link.*link = value;
    if (section == KeySection::Cpu && profile.cpu) (*profile.cpu).*cpu = value;
    if (section == KeySection::Gpu && profile.gpu) (*profile.gpu).*gpu = value;
}

std::span<const NumberKey> number_keys() { return kNumberKeys; }

std::span<const TextKey> text_keys() { return kTextKeys; }

std::string_view provenance_name(Provenance provenance) {
    return kProvenances[static_cast<std::size_t>(provenance)];
}

std::optional<Provenance> provenance_of(std::string_view name) {
    for (std::size_t i = 0; i < kProvenances.size(); i++) {
        if (kProvenances[i] == name) return static_cast<Provenance>(i);
    }
    return std::nullopt;
}

std::optional<double> parse_number(std::string_view text) {
    double value = 0;
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || at != end || !std::isfinite(value)) return std::nullopt;
    return value;
}

}  // namespace pshard
