// Makes the ggml nodes of one computation of a case. Internal to probe/.
#pragma once

#include <ggml.h>

#include "probe/op_case.h"

namespace pshard {

// What a tensor that nodes read holds.
enum class OperandKind : std::uint8_t {
    Weight,      // cold values, another stretch of the pool for each node
    Activation,  // random floats, which all nodes share
    Zeros,       // a mask that hides nothing
    Positions,   // 0, 1, 2 ... as I32 or I64: positions, or rows of a cache
    Routes,      // the experts of each token as I32, others for each node
};

// Gives nodes their operands.
class OperandSource {
public:
    virtual ~OperandSource() = default;
    virtual ggml_tensor* operand(OperandKind kind, ggml_type type, const Shape& shape) = 0;
};

// Makes the node that computes the case, and asks `source` for its operands; nullptr if the op is
// not known here. `type` is the type of the case.
[[nodiscard]] ggml_tensor* make_node(ggml_context* context,
                                     const OpCase& op_case,
                                     ggml_type type,
                                     OperandSource& source);

}  // namespace pshard
