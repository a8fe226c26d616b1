// What the GPU is told to be, by variables of the environment: docs/simgpu.md lists them.
#pragma once

#include <cstddef>
#include <string>

namespace pshard::simgpu {

enum class OnFault { Ignore, Count, Abort };

struct Settings {
    std::size_t memory_bytes = std::size_t{1024} << 20U;
    std::size_t context_bytes = 0;  // taken of it once it is first asked about, or used
    std::size_t kernel_bytes = 0;   // and once a kernel has run
    std::size_t lockable_bytes = std::size_t{1} << 50U;  // of host memory, in place
    double h2d_gbps = 0;  // 1e9 bytes a second; 0, here and below: as fast as it goes
    double d2h_gbps = 0;
    double pageable_share = 0.4;  // of the link's rate
    double gflops = 0;
    double gbps = 0;  // of the device's own memory
    double launch_us = 0;
    OnFault on_fault = OnFault::Abort;
};

struct ParsedSettings {
    Settings settings;
    std::string problem;  // the first variable that cannot be read; empty: none
};

// `environment`: NAME=VALUE strings up to a null pointer, as a process finds them.
[[nodiscard]] ParsedSettings read_settings(const char* const* environment);

}  // namespace pshard::simgpu
