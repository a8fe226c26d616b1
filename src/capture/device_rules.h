// What the models of devices share. Internal to capture/.
#pragma once

#include <ggml.h>

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "capture/device_policy.h"
#include "capture/tensor_facts.h"
#include "ops/op_table.h"

namespace pshard {

inline bool is_one_of(ggml_type type, std::initializer_list<ggml_type> types) {
    return std::find(types.begin(), types.end(), type) != types.end();
}

inline bool is_f32_or_f16(const ggml_tensor* tensor) {
    return is_one_of(tensor->type, {GGML_TYPE_F32, GGML_TYPE_F16});
}

// Whether the result and all sources are f32.
inline bool all_f32(const ggml_tensor& op) {
    const auto fits = [](const ggml_tensor* source) {
        return source == nullptr || source->type == GGML_TYPE_F32;
    };
    return op.type == GGML_TYPE_F32 && std::all_of(op.src, op.src + GGML_MAX_SRC, fits);
}

struct DeviceRules {
    DeviceModel model;
    Bytes (*tensor_bytes)(const ggml_tensor& tensor);
    bool (*supports)(const ggml_tensor& op);
};

// A policy that answers for a device by its rules alone.
class ModelledDevice final : public DevicePolicy {
public:
    explicit ModelledDevice(DeviceRules rules) : rules_(std::move(rules)) {}

    DeviceModel model() const override { return rules_.model; }

    Bytes tensor_bytes(const ggml_tensor& tensor) const override {
        return rules_.tensor_bytes(tensor);
    }

    bool supports(const ggml_tensor& op) const override { return rules_.supports(op); }

    bool offloads(const ggml_tensor& op) const override {
        return offload_rows(op_rule(ggml_op_name(op.op)), shape_of(op)) >= kOffloadMinRows;
    }

private:
    DeviceRules rules_;
};

}  // namespace pshard
