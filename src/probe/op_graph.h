// A graph that computes one op many times, each time on other operands, as a model's layers do:
// weights are cold, activations are warm, and each node has a launch of its own.
#pragma once

#include <memory>
#include <vector>

#include <ggml.h>

#include "ggml_kit/handles.h"
#include "probe/devices.h"
#include "probe/op_case.h"
#include "probe/operand_pool.h"

namespace pshard {

class OpGraph {
public:
    // Makes `n_graphs` graphs with `n_nodes` computations of the case each; all share their warm
    // operands. `pool` must hold operands of the case's type and outlive the graphs; its warm
    // memory is theirs until somebody asks for it again. Fails if memory is short, or if the device
    // does not support the op.
    static Result<OpGraph> make(const OpCase& op_case,
                                ggml_backend_dev_t device,
                                OperandPool& pool,
                                int n_nodes,
                                int n_graphs = 1);

    // Computes the next graph in turn, and gives the seconds of one computation of the case. Fails
    // if the device refuses.
    [[nodiscard]] Result<Seconds> compute(ggml_backend_t backend);

    // The result of the last node of all, on the device. Each graph must have been computed.
    [[nodiscard]] const ggml_tensor* result() const;

private:
    OpGraph(GgmlContext context, int n_nodes) : context_(std::move(context)), n_nodes_(n_nodes) {}

    GgmlContext context_;
    ggml_cgraph* whole_ = nullptr;
    std::vector<std::shared_ptr<ggml_cgraph>> graphs_{};  // stretches of whole_
    int n_nodes_ = 0;
    std::size_t next_ = 0;
};

// The buffer type in which llama.cpp would keep the cold operands of the case on that device;
// nullptr if the case has none. Fails on an op or type that is not known here, or that the device
// does not support.
[[nodiscard]] Result<ggml_backend_buffer_type_t> operand_buffer_type(ggml_backend_dev_t device,
                                                                     const OpCase& op_case);

}  // namespace pshard
