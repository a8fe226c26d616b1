// ggml's devices, from where llama.cpp would load them.
#pragma once

#include <string>

#include "probe/devices.h"

namespace pshard::tool {

// From llama.cpp's build, else where ggml looks itself; and the one that GGML_BACKEND_PATH names.
void load_backends();

// A table for the user, or a JSON array.
std::string device_list(bool json);

}  // namespace pshard::tool
