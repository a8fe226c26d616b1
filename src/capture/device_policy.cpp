#include "capture/device_policy.h"

#include <fmt/format.h>
#include <ggml-backend.h>

#include "capture/device_model.h"
#include "ggml_kit/device.h"

namespace pshard {
namespace {

class InnerDevicePolicy final : public DevicePolicy {
public:
    explicit InnerDevicePolicy(ggml_backend_dev_t device)
        : device_(device), buffer_type_(ggml_backend_dev_buffer_type(device)) {}

    DeviceModel model() const override {
        return {ggml_backend_dev_name(device_),
                ggml_backend_buft_get_alignment(buffer_type_),
                ggml_backend_buft_get_max_size(buffer_type_)};
    }

    Bytes tensor_bytes(const ggml_tensor& tensor) const override {
        return ggml_backend_buft_get_alloc_size(buffer_type_, &tensor);
    }

    bool supports(const ggml_tensor& op) const override { return computes(device_, op); }

    bool offloads(const ggml_tensor& op) const override {
        return ggml_backend_dev_offload_op(device_, &op);
    }

private:
    ggml_backend_dev_t device_;
    ggml_backend_buffer_type_t buffer_type_;
};

}  // namespace

std::string registered_devices() {
    std::string names;
    for (std::size_t i = 0; i < ggml_backend_dev_count(); ++i) {
        if (!names.empty()) names += ", ";
        names += ggml_backend_dev_name(ggml_backend_dev_get(i));
    }
    return names.empty() ? "none" : names;
}

std::unique_ptr<DevicePolicy> make_inner_device_policy(ggml_backend_dev_t device) {
    return std::make_unique<InnerDevicePolicy>(device);
}

Result<std::unique_ptr<DevicePolicy>> make_device_policy(const std::string& name) {
    if (auto model = make_device_model(name)) return model;
    if (ggml_backend_dev_t device = ggml_backend_dev_by_name(name.c_str())) {
        return make_inner_device_policy(device);
    }
    return Error{fmt::format("no device is named '{}'; give 'cuda', 'vulkan' or a device that ggml "
                             "has loaded (now: {})",
                             name,
                             registered_devices()),
                 {}};
}

Bytes aligned_tensor_bytes(const DevicePolicy& policy, Bytes alignment, const ggml_tensor& tensor) {
    return align_up(policy.tensor_bytes(tensor), alignment);
}

}  // namespace pshard
