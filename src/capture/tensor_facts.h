// What the inventory keeps of one of llama.cpp's tensors. The capture and the backend both use it.
#pragma once

#include <string>

#include "capture/device_policy.h"

namespace pshard {

Shape shape_of(const ggml_tensor& tensor);

// `name` is the name of the weight; the tensor of a tied head has another one.
Weight weight_facts(const ggml_tensor& tensor, const std::string& name, const DevicePolicy& device);

State state_facts(const ggml_tensor& tensor, const DevicePolicy& device);

}  // namespace pshard
