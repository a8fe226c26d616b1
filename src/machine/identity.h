// WHO a machine is, as far as files of the system tell, and how it differs from the machine of a
// profile. Read only where a machine is measured, or a profile is held against this one.
//
// `root` stands before /proc, /sys and /etc: tests bring trees of their own. A file that is not
// there, or that we cannot make sense of, leaves its field unknown; nothing fails.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/units.h"
#include "machine/machine_profile.h"

namespace pshard {

struct MachineIdentity {
    std::string cpu_name{};    // empty: unknown; the same for the other names
    std::string os_name{};     // "Debian GNU/Linux 12 (bookworm)"
    std::string kernel{};      // "6.1.0-18-amd64"
    std::string gpu_driver{};  // "NVIDIA 550.54.14"
    // Of the caller, who asks the device: no file names it.
    std::string gpu_name{};
    std::string link_name{};                  // link_name() below, while the link is busy
    std::optional<int> cpu_cores{};           // physical
    std::optional<double> host_memory_mib{};  // RAM in all

    bool operator==(const MachineIdentity&) const = default;
};

[[nodiscard]] MachineIdentity this_machine(const std::string& root = "");

// Cores, not threads of one core.
[[nodiscard]] std::optional<int> physical_cores(const std::string& root = "");

// All caches of the highest level together; 0: unknown.
[[nodiscard]] Bytes last_level_cache_bytes(const std::string& root = "");

// "PCIe 5.0 x16" of the device with that PCI bus id ("0000:01:00.0"): as the slot runs now. An idle
// GPU slows its link down, so ask while it copies. Empty: unknown.
[[nodiscard]] std::string link_name(const std::string& bus_id, const std::string& root = "");

// What is known of the machine goes into the profile; the rest of the profile stays.
void set_identity(const MachineIdentity& machine, MachineProfile& profile);

// One phrase for each fact that is known of both and differs ("CPU: profile 'X', here 'Y'"); none
// for the kernel, which changes with every update. Names are compared without blanks and case, RAM
// within 5 %.
[[nodiscard]] std::vector<std::string> differences(const MachineProfile& profile,
                                                   const MachineIdentity& here);

}  // namespace pshard
