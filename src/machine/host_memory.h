// How much memory the host has left now.
#pragma once

#include <string>

#include "base/units.h"

namespace pshard {

// The bytes that a process can take before the host swaps or the process is killed: MemAvailable,
// or what one of the process's control groups (v1 or v2) has left if that is less. Pages of files,
// such as a mapped model, can be dropped and count as available in both. 0: the system does not
// say. `root` is put before /proc and /sys, so that tests can bring trees of their own.
[[nodiscard]] Bytes available_host_memory(const std::string& root = "");

}  // namespace pshard
