// The `# pshard KEY=VALUE` lines of profile files: what reader and writer share. Internal to
// machine/; the keys are documented in docs/formats/profile.md.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "machine/machine_profile.h"

namespace pshard {

enum class KeyHome { Cpu, Gpu };  // which of the two files

// Facts of the link stand in the CPU file, and in the GPU file only where there is no other.
[[nodiscard]] KeyHome link_home(const MachineProfile& profile);

using NumberField = std::variant<std::optional<double> CpuProfile::*,
                                 std::optional<double> GpuProfile::*,
                                 std::optional<double> LinkProfile::*,
                                 std::optional<double> MachineProfile::*>;

struct NumberKey {
    std::string_view name;
    NumberField field;
    bool in_header = false;  // the CPU file's Threads= line holds it, if all of that line is known

    // Facts of the machine itself stand in both files.
    [[nodiscard]] bool stands_in(KeyHome home, const MachineProfile& profile) const;
    [[nodiscard]] bool may_be_zero() const;  // 0 is a measured value
    [[nodiscard]] std::optional<double> get(const MachineProfile& profile) const;
    // Only when profile.cpu, or profile.gpu, is there for a field of its own. Of a fact of the
    // machine the first value stays: that of the CPU file.
    void set(MachineProfile& profile, double value) const;
};

struct TextKey {
    std::string_view name;
    std::string MachineProfile::*field;
};

[[nodiscard]] std::span<const NumberKey> number_keys();
[[nodiscard]] std::span<const TextKey> text_keys();

// The keys that have a form of their own.
inline constexpr std::string_view kSlicedKey = "link.sliced";
inline constexpr std::string_view kCopyKey = "link.copy";
inline constexpr std::string_view kOverheadKey = "gpu.overhead";
inline constexpr std::string_view kConcurrentMeasuredKey = "link.concurrent_measured";
inline constexpr std::string_view kProvenanceKey = "provenance";
inline constexpr std::string_view kRowsKey = "rows";  // of the file that it stands in
inline constexpr std::string_view kNoisyKey = "row.noisy_percent";

// By the enumerators.
inline constexpr std::array<std::string_view, 3> kProvenances = {"measured", "derived", "quick"};
inline constexpr std::array<std::string_view, 3> kCopySources = {
    "pinned", "registered", "pageable"};

}  // namespace pshard
