// How much memory the host has left now.
#pragma once

#include "base/units.h"

namespace pshard {

// The bytes that a process can take before the host swaps or the process is killed: MemAvailable,
// or what the process's control group has left if that is less. 0: the system does not say.
[[nodiscard]] Bytes available_host_memory();

}  // namespace pshard
