// The ggml nodes of one computation of a case. Internal to probe/.
#pragma once

#include <ggml.h>

#include "probe/op_case.h"

namespace pshard {

// A tensor that the nodes read, and what belongs into it.
enum class OperandKind : std::uint8_t {
    Weight,      // from the pool, another stretch for each node
    Activation,  // random floats, shared by all nodes
    Zeros,       // a mask that hides nothing
    Positions,   // I32 or I64 0, 1, 2 ...: positions, cache rows
    Routes,      // I32: the experts of each token, others for each node
};

// Where nodes get their operands from.
class OperandSource {
public:
    virtual ~OperandSource() = default;
    virtual ggml_tensor* operand(OperandKind kind, ggml_type type, const Shape& shape) = 0;
};

// The node that computes the case, its operands asked of `source`; nullptr for an op that is not
// known here. `type` is the case's.
[[nodiscard]] ggml_tensor* make_node(ggml_context* context,
                                     const OpCase& op_case,
                                     ggml_type type,
                                     OperandSource& source);

}  // namespace pshard
