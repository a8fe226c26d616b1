// Where this program stands: what lies beside it, the environment, and the device of the run.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "run/command.h"
#include "run/program.h"

namespace pshard::tool {

struct Surroundings {
    Variables environment;
    std::string folder;         // of this program, with the planner and the profilers
    std::string plugin;         // libggml-pshard.so
    std::string profile_cache;  // folder of the profiles that this program measures; empty: none
};

// Fails where the plugin lies neither beside this program nor where it is installed.
Result<Surroundings> look_around(const char* const* environment);

// What PSHARD0 shall compute on, as the user's PSHARD_DEVICE and GGML_BACKEND_PATH say.
struct InnerDevice {
    std::string name;     // of ggml's; empty: the first GPU
    std::string library;  // of a backend that llama.cpp does not find by itself; empty: none

    // "CPU" lets the CPU stand in for a GPU, for tests.
    [[nodiscard]] bool is_cpu() const { return name == "CPU" && library.empty(); }
};

// Reads it. GGML_BACKEND_PATH, if set, names the GPU's backend, unless PSHARD_DEVICE names another:
// the run itself needs the variable for libggml-pshard.so.
InnerDevice inner_device(const Surroundings& here);

// The device as PSHARD_DEVICE names it: "CUDA1", "PATH:NAME"; empty: none is named.
std::string device_text(const InnerDevice& device);

// The GPU backend beside the program ("libggml-cuda.so"), for the profilers, which bring only the
// CPU's; empty: none.
std::string gpu_backend_beside(const HostProgram& program);

}  // namespace pshard::tool
