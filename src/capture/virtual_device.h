// A ggml device that reserves but never computes. llama.cpp places a model on it as on a GPU of any
// size, and nothing is allocated but address space.
//
// A DevicePolicy says what it can compute, and how large a tensor is on it. The device remembers
// the tensors that llama.cpp sizes or places on it, so that a capture misses none: a KV cache that
// no graph reads is not found in a graph.
//
// Source: ggml/src/ggml-backend-impl.h of ggml v0.5.0 (GGML_BACKEND_API_VERSION 2).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/units.h"
#include "capture/device_policy.h"

struct ggml_backend_device;
struct ggml_backend_buffer_type;

namespace pshard {

struct VirtualDeviceSpec {
    std::string name = "PSHARD0";
    Bytes memory = 1024 * kGiB;  // that it claims to have, all of it free
    std::shared_ptr<const DevicePolicy> policy;
    bool offload = false;  // whether offload_op answers as the policy does; false: it says no
};

class VirtualDevice {
public:
    explicit VirtualDevice(VirtualDeviceSpec spec);
    ~VirtualDevice();  // must come after the models and contexts that used the device

    VirtualDevice(const VirtualDevice&) = delete;
    VirtualDevice& operator=(const VirtualDevice&) = delete;

    // The device for llama_model_params::devices. It is not in ggml's registry, so several can live
    // side by side.
    [[nodiscard]] ggml_backend_device* device();

    // The device's memory.
    [[nodiscard]] ggml_backend_buffer_type* buffer_type();

    // The tensors that llama.cpp has sized or placed on the device (no views, no results of ops),
    // each once, in the order in which it did. The pointers dangle when a tensor's owner is gone.
    [[nodiscard]] const std::vector<const ggml_tensor*>& tensors() const;

    struct Impl;

private:
    std::unique_ptr<Impl> impl_;
};

}  // namespace pshard
