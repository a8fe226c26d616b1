// A graph that computes one op many times over, each time on other operands, as a model's layers
// do: cold weights, warm activations, every node behind a launch of its own.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <ggml.h>

#include "ggml_kit/handles.h"
#include "probe/devices.h"
#include "probe/op_case.h"
#include "probe/operand_pool.h"

namespace pshard {

// ggml's type of that name ("q4_K"); nullopt: there is none.
[[nodiscard]] std::optional<ggml_type> ggml_type_of(const std::string& name);

class OpGraph {
public:
    // `n_nodes` computations of the case in each of `n_graphs` graphs, which share their warm
    // operands. `pool` holds operands of its type and outlives the graphs; its warm memory is
    // theirs until it is asked for again. Fails when memory is short, or the device does not
    // support the op.
    static Result<OpGraph> make(const OpCase& op_case,
                                ggml_backend_dev_t device,
                                OperandPool& pool,
                                int n_nodes,
                                int n_graphs = 1);

    // Seconds of one computation of the case, after all nodes of the next graph in turn were
    // computed once. Fails when the device refuses.
    [[nodiscard]] Result<Seconds> compute(ggml_backend_t backend);

    [[nodiscard]] int n_nodes() const { return n_nodes_; }  // in a graph

    [[nodiscard]] int n_graphs() const;

    // What the last node of all has computed, on the device; only after each graph was computed.
    [[nodiscard]] const ggml_tensor* result() const;

private:
    OpGraph(GgmlContext context, int n_nodes) : context_(std::move(context)), n_nodes_(n_nodes) {}

    GgmlContext context_;
    ggml_cgraph* whole_ = nullptr;
    std::vector<std::shared_ptr<ggml_cgraph>> graphs_{};  // stretches of the whole
    int n_nodes_ = 0;
    std::size_t next_ = 0;
};

// Where the cold operands of the case must lie on that device, as llama.cpp would have them;
// nullptr where it has none. Fails on an op or type that is not known here or that the device does
// not support.
[[nodiscard]] Result<ggml_backend_buffer_type_t> operand_buffer_type(ggml_backend_dev_t device,
                                                                     const OpCase& op_case);

}  // namespace pshard
