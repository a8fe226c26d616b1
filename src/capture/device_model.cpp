#include "capture/device_model.h"

namespace pshard {

std::unique_ptr<DevicePolicy> make_device_model(std::string_view name) {
    if (name == "cuda") return make_cuda_model();
    if (name == "vulkan") return make_vulkan_model();
    return nullptr;
}

}  // namespace pshard
