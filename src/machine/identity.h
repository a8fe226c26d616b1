// WHO a machine is, as far as the files of its system tell, and how it differs from the machine of
// a profile. These files are read only when a machine is measured or a profile is compared with it.
//
// `root` is put before /proc, /sys and /etc, so that tests can bring trees of their own. A file
// that is missing or unreadable leaves its field unknown; nothing fails.
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
    // The caller sets it, by asking the device: no file names it.
    std::string gpu_name{};
    std::string link_name{};                  // the caller asks link_name() while the link is busy
    std::optional<int> cpu_cores{};           // physical
    std::optional<double> host_memory_mib{};  // RAM in all

    bool operator==(const MachineIdentity&) const = default;
};

[[nodiscard]] MachineIdentity this_machine(const std::string& root = "");

// The number of cores; two threads of one core count once.
[[nodiscard]] std::optional<int> physical_cores(const std::string& root = "");

// The bytes of all caches of the highest level together; 0: unknown.
[[nodiscard]] Bytes last_level_cache_bytes(const std::string& root = "");

// "PCIe 5.0 x16": how the slot of the device with that PCI bus id ("0000:01:00.0") runs now. An
// idle GPU slows its link down, so callers should ask while it copies. Empty: unknown.
[[nodiscard]] std::string link_name(const std::string& bus_id, const std::string& root = "");

// Puts what is known of the machine into the profile; the rest of the profile stays.
void set_identity(const MachineIdentity& machine, MachineProfile& profile);

// One phrase for each fact that is known of both machines and differs: "CPU: profile 'X', here
// 'Y'". The kernel is not compared, since it changes with every update. Names are compared without
// blanks and case, RAM within 5 %.
[[nodiscard]] std::vector<std::string> differences(const MachineProfile& profile,
                                                   const MachineIdentity& here);

}  // namespace pshard
