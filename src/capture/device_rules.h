// What the models of devices share. Internal to capture/.
//
// A model answers supports_op from a table: a row for each op that the device has a kernel for. The
// row says which types and layouts the kernel takes; what no row names is refused, as ggml's own
// supports_op ends with `default: return false`.
#pragma once

#include <ggml.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>

#include "capture/device_policy.h"
#include "capture/tensor_facts.h"
#include "ops/op_table.h"

namespace pshard {

// A set of tensor types.
class TypeSet {
public:
    constexpr TypeSet(std::initializer_list<ggml_type> types) {
        for (const ggml_type type : types) bits_ |= bit(type);
    }

    static constexpr TypeSet all() {
        TypeSet set{};
        set.bits_ = ~std::uint64_t{0};
        return set;
    }

    [[nodiscard]] constexpr bool contains(ggml_type type) const { return (bits_ & bit(type)) != 0; }

    [[nodiscard]] constexpr TypeSet with(TypeSet other) const {
        other.bits_ |= bits_;
        return other;
    }

    [[nodiscard]] constexpr TypeSet without(TypeSet other) const {
        other.bits_ = bits_ & ~other.bits_;
        return other;
    }

private:
    static constexpr std::uint64_t bit(ggml_type type) {
        static_assert(GGML_TYPE_COUNT <= 64);
        return std::uint64_t{1} << static_cast<unsigned>(type);
    }

    std::uint64_t bits_ = 0;
};

inline constexpr TypeSet kF32{GGML_TYPE_F32};
inline constexpr TypeSet kF32F16{GGML_TYPE_F32, GGML_TYPE_F16};
inline constexpr TypeSet kFloats{GGML_TYPE_F32, GGML_TYPE_F16, GGML_TYPE_BF16};
inline constexpr TypeSet kIndices{GGML_TYPE_I32, GGML_TYPE_I64};
inline constexpr TypeSet kF32I32{GGML_TYPE_F32, GGML_TYPE_I32};

// One row: an op that the device computes, if the op is as the row says. What the row leaves out
// may be anything.
struct OpSupport {
    ggml_op op = GGML_OP_NONE;
    TypeSet first = TypeSet::all();   // of source 0
    TypeSet second = TypeSet::all();  // of source 1, where the op has one
    TypeSet result = TypeSet::all();
    bool (*layout)(const ggml_tensor*) = nullptr;   // of source 0: ggml_is_contiguous, ...
    bool (*also)(const ggml_tensor& op) = nullptr;  // all that types and layout do not say
};

inline bool is_as_row_says(const OpSupport& row, const ggml_tensor& op) {
    const ggml_tensor* first = op.src[0];
    const ggml_tensor* second = op.src[1];
    if (first != nullptr && !row.first.contains(first->type)) return false;
    if (second != nullptr && !row.second.contains(second->type)) return false;
    if (!row.result.contains(op.type)) return false;
    if (row.layout != nullptr && !row.layout(first)) return false;
    return row.also == nullptr || row.also(op);
}

inline bool is_in_table(std::span<const OpSupport> table, const ggml_tensor& op) {
    const auto row = std::ranges::find(table, op.op, &OpSupport::op);
    return row != table.end() && is_as_row_says(*row, op);
}

// ---- conditions that rows of several devices have ----

// Whether the result and all sources are f32.
inline bool all_f32(const ggml_tensor& op) {
    const auto fits = [](const ggml_tensor* source) {
        return source == nullptr || source->type == GGML_TYPE_F32;
    };
    return op.type == GGML_TYPE_F32 && std::all_of(op.src, op.src + GGML_MAX_SRC, fits);
}

inline bool keeps_type(const ggml_tensor& op) { return op.type == op.src[0]->type; }

inline bool is_of_one_type(const ggml_tensor& op) {
    return keeps_type(op) && (op.src[1] == nullptr || op.src[1]->type == op.type);
}

inline bool second_is_contiguous(const ggml_tensor& op) { return ggml_is_contiguous(op.src[1]); }

inline bool result_is_contiguous(const ggml_tensor& op) { return ggml_is_contiguous(&op); }

inline bool keeps_type_and_order(const ggml_tensor& op) {
    return keeps_type(op) && ggml_is_contiguous(&op);
}

// Whether a product with routed experts asks for its second factor in f32 (ggml_prec_set_src), as
// llama.cpp does for Mistral 4: no GPU backend has such a kernel.
inline bool wants_f32_factor(const ggml_tensor& op) {
    return op.op == GGML_OP_MUL_MAT_ID && op.op_params[3] == GGML_PREC_F32;
}

// ---- the device ----

struct DeviceRules {
    DeviceModel model;
    Bytes (*tensor_bytes)(const ggml_tensor& tensor);
    std::function<bool(const ggml_tensor& op)> supports;
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
