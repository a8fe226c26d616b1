// The devices that PSHARD0 computes on.
#pragma once

#include <string>

#include <ggml-backend.h>

#include "base/result.h"

namespace pshard {

struct InnerDevices {
    ggml_backend_dev_t gpu = nullptr;
    ggml_backend_dev_t cpu = nullptr;
};

// `wanted`: as PSHARD_DEVICE says (settings.h); "CPU" lets the CPU stand in for a GPU. Without any
// GPU the CPU does so, too. Fails if the device or the library is not there, and says what is.
Result<InnerDevices> find_inner_devices(const std::string& wanted);

}  // namespace pshard
