// How a device answers llama.cpp: what it can compute, and how many bytes a tensor takes on it.
//
// Two kinds of policy answer: one asks a real ggml device each time, the other follows a named
// model of a device (capture/device_model.h), so that a plan can be made for a machine elsewhere.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "base/units.h"
#include "inventory/inventory.h"

struct ggml_backend_device;
struct ggml_tensor;

namespace pshard {

class DevicePolicy {
public:
    virtual ~DevicePolicy() = default;

    [[nodiscard]] virtual DeviceModel model() const = 0;

    // ggml's get_alloc_size: the bytes of `tensor` in a buffer of the device, not yet aligned. The
    // result of an operation includes what its kernel keeps next to it.
    [[nodiscard]] virtual Bytes tensor_bytes(const ggml_tensor& tensor) const = 0;

    // ggml's supports_op.
    [[nodiscard]] virtual bool supports(const ggml_tensor& op) const = 0;

    // ggml's offload_op: whether stock llama.cpp copies a host weight to the device to run `op`.
    [[nodiscard]] virtual bool offloads(const ggml_tensor& op) const = 0;
};

// "cuda" and "vulkan" name models; any other name is that of a device that is registered with ggml
// ("CUDA0", "CPU"). Fails if there is no such device; the Error names the devices that there are.
Result<std::unique_ptr<DevicePolicy>> make_device_policy(const std::string& name);

// The devices that are registered with ggml, for messages: "CPU, CUDA0", or "none".
std::string registered_devices();

// A policy that asks `device`, which must outlive the policy.
std::unique_ptr<DevicePolicy> make_inner_device_policy(ggml_backend_device* device);

// The bytes that `tensor` takes in a buffer of the device, rounded up to the device's `alignment`.
Bytes aligned_tensor_bytes(const DevicePolicy& policy, Bytes alignment, const ggml_tensor& tensor);

}  // namespace pshard
