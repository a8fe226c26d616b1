// Loads ggml's backends from where llama.cpp would.
#pragma once

#include <string>

#include "probe/devices.h"

namespace pshard::tool {

// Loads those of llama.cpp's build, else those that ggml finds itself; and the one that
// GGML_BACKEND_PATH names.
void load_backends();

// The devices as a table for the user, or as a JSON array.
std::string device_list(bool json);

}  // namespace pshard::tool
