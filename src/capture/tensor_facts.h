// What the inventory keeps of a tensor of llama.cpp's: the same for the capture and the backend.
#pragma once

#include <string>

#include "capture/device_policy.h"

namespace pshard {

Shape shape_of(const ggml_tensor& tensor);

// `name`: of the weight, which for a tied head is not the tensor's own.
Weight weight_facts(const ggml_tensor& tensor, const std::string& name, const DevicePolicy& device);

State state_facts(const ggml_tensor& tensor, const DevicePolicy& device);

}  // namespace pshard
