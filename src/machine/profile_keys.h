// The `# pshard KEY=VALUE` lines of profile files: one table for reader and writer. Internal to
// machine/; the keys are documented in docs/formats/profile.md.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "machine/machine_profile.h"

namespace pshard {

enum class KeyHome { Cpu, Gpu };  // which of the two files

// Facts of the link stand in the CPU file, and in the GPU file only where there is no other.
[[nodiscard]] KeyHome link_home(const MachineProfile& profile);

enum class KeySection { Cpu, Gpu, Link };

struct NumberKey {
    std::string_view name;
    KeySection section;
    bool in_header;  // the CPU file's Threads= line holds it, when all of that line is known
    std::optional<double> CpuProfile::*cpu = nullptr;
    std::optional<double> GpuProfile::*gpu = nullptr;
    std::optional<double> LinkProfile::*link = nullptr;

    [[nodiscard]] KeyHome home(const MachineProfile& profile) const;
    [[nodiscard]] std::optional<double> get(const MachineProfile& profile) const;
    // Only when profile.cpu, or profile.gpu, is there for a key of its section.
    void set(MachineProfile& profile, double value) const;
};

struct TextKey {
    std::string_view name;
    std::string MachineProfile::*field;
};

[[nodiscard]] std::span<const NumberKey> number_keys();
[[nodiscard]] std::span<const TextKey> text_keys();

[[nodiscard]] std::string_view provenance_name(Provenance provenance);
[[nodiscard]] std::optional<Provenance> provenance_of(std::string_view name);

// A finite decimal number that fills the whole text.
[[nodiscard]] std::optional<double> parse_number(std::string_view text);

}  // namespace pshard
