// How a device answers llama.cpp: what it can compute and how many bytes a tensor takes on it.
//
// There are two kinds of answer: a real ggml device that is asked each time, and a named model of
// one (capture/device_model.h), so that a machine that is not there can be planned for.
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

    // ggml's get_alloc_size: bytes of `tensor` in a buffer of the device, not yet aligned. For the
    // result of an operation this includes what its kernel keeps next to it.
    [[nodiscard]] virtual Bytes tensor_bytes(const ggml_tensor& tensor) const = 0;

    // ggml's supports_op.
    [[nodiscard]] virtual bool supports(const ggml_tensor& op) const = 0;

    // ggml's offload_op: whether stock llama.cpp copies a host weight to the device to run `op`.
    [[nodiscard]] virtual bool offloads(const ggml_tensor& op) const = 0;
};

// "cuda" and "vulkan" are models; any other name is that of a device registered with ggml
// ("CUDA0", "CPU"). Fails if there is no such device, naming those that there are.
Result<std::unique_ptr<DevicePolicy>> make_device_policy(const std::string& name);

// "CPU, CUDA0": the devices registered with ggml, for messages; "none".
std::string registered_devices();

// Asks `device`, which must outlive the policy.
std::unique_ptr<DevicePolicy> make_inner_device_policy(ggml_backend_device* device);

// Bytes that `tensor` takes in a buffer of the device, aligned. `alignment` is the device's.
Bytes aligned_tensor_bytes(const DevicePolicy& policy, Bytes alignment, const ggml_tensor& tensor);

}  // namespace pshard
