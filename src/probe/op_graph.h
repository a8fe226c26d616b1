// A graph that computes one op many times over, each time on other operands, as a model's layers
// do: cold weights, warm activations, every node behind a launch of its own.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <ggml.h>

#include "probe/devices.h"
#include "probe/ggml_context.h"
#include "probe/op_case.h"
#include "probe/operand_pool.h"

namespace pshard {

// ggml's type of that name ("q4_K"); nullopt: there is none.
[[nodiscard]] std::optional<ggml_type> ggml_type_of(const std::string& name);

class OpGraph {
public:
    // `n_nodes` computations of the case. `pool` holds operands of its type and outlives the graph.
    // Fails when memory is short, or the device does not support the op.
    static Result<OpGraph> make(const OpCase& op_case,
                                ggml_backend_dev_t device,
                                OperandPool& pool,
                                int n_nodes);

    // Seconds of one computation of the case, after all nodes were computed once.
    // Fails when the device refuses.
    [[nodiscard]] Result<Seconds> compute(ggml_backend_t backend);

    [[nodiscard]] int n_nodes() const { return n_nodes_; }

    // Of the last node, on the device: after compute().
    [[nodiscard]] const ggml_tensor* result() const;

private:
    OpGraph(GgmlContext context, int n_nodes) : context_(std::move(context)), n_nodes_(n_nodes) {}

    GgmlContext context_;
    BufferPtr activations_{};
    ggml_cgraph* graph_ = nullptr;
    int n_nodes_ = 0;
};

// Where the cold operands of the case must lie on that device, as llama.cpp would have them;
// nullptr where it has none. Fails on an op or type that is not known here or that the device does
// not support.
[[nodiscard]] Result<ggml_backend_buffer_type_t> operand_buffer_type(ggml_backend_dev_t device,
                                                                     const OpCase& op_case);

}  // namespace pshard
