// A ggml device that reserves but never computes: llama.cpp places a model on it as on a GPU of any
// size, and nothing is allocated but address space.
//
// What it can compute and how large a tensor is on it are a DevicePolicy's answers. It remembers
// the tensors that llama.cpp sizes or places on it, so that a capture misses none: KV caches that
// no graph reads are never seen in a graph.
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
    Bytes memory = 1024 * kGiB;  // what it claims, free and total
    std::shared_ptr<const DevicePolicy> policy;
    bool offload = false;  // true: offload_op answers as the policy does; false: never
};

class VirtualDevice {
public:
    explicit VirtualDevice(VirtualDeviceSpec spec);
    ~VirtualDevice();  // after the models and contexts that used it

    VirtualDevice(const VirtualDevice&) = delete;
    VirtualDevice& operator=(const VirtualDevice&) = delete;

    // For llama_model_params::devices. Not in ggml's registry: several can live side by side.
    [[nodiscard]] ggml_backend_device* device();

    // The device's memory, and the pinned host memory that it offers.
    [[nodiscard]] ggml_backend_buffer_type* buffer_type();
    [[nodiscard]] ggml_backend_buffer_type* host_buffer_type();

    // Tensors that were given or measured for a place of their own on the device (no views, no
    // results of operations), in that order, each once. Dangling when their owner is gone.
    [[nodiscard]] const std::vector<const ggml_tensor*>& tensors() const;
    void forget_tensors();

    struct Impl;

private:
    std::unique_ptr<Impl> impl_;
};

}  // namespace pshard
