// Machines that plans are searched for in tests: the reference machine of profiles/reference, and
// others that are made from it by factors. No figure of theirs was measured.
#pragma once

#include <array>
#include <ostream>

#include "machine/machine_profile.h"

namespace pshard::testing_support {

// Rates as multiples of the reference machine's.
struct TestMachine {
    const char* name;
    double gpu_memory = 1;
    double gpu_flops = 1;
    double cpu_memory = 1;
    double cpu_flops = 1;
    double link = 1;
};

inline void PrintTo(const TestMachine& machine, std::ostream* out) { *out << machine.name; }

inline constexpr std::array<TestMachine, 3> kTestMachines = {{
    {.name = "reference"},
    // Dual-channel DDR4, PCIe 3.0 x16, a GPU of half the bandwidth: 32, 12 and 360 GB/s.
    {.name = "desktop",
     .gpu_memory = 0.45,
     .gpu_flops = 0.25,
     .cpu_memory = 0.7,
     .cpu_flops = 0.6,
     .link = 0.27},
    // Eight channels of DDR5, PCIe 6.0, a GPU of twice the bandwidth: 180, 90 and 1600 GB/s.
    {.name = "workstation",
     .gpu_memory = 2,
     .gpu_flops = 1.8,
     .cpu_memory = 4,
     .cpu_flops = 2.5,
     .link = 2},
}};

// profiles/reference, of 8 threads.
MachineProfile reference_profile();

MachineProfile machine_profile(const TestMachine& machine);

}  // namespace pshard::testing_support
