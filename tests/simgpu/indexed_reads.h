// Nodes that read what their indices name: MUL_MAT_ID its experts, GET_ROWS its rows. Where a part
// of the operand was never written, only the indices tell whether that part is read, and only when
// the node's turn has come. So these checks are made on the queue, right before the node.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "simgpu/tensor_access.h"
#include "simgpu/watch.h"

namespace pshard::simgpu {

struct IndexedRead {
    int node = 0;  // in its graph
    std::vector<Range> unwritten{};
};

// The first unwritten bytes that the node's indices name.
[[nodiscard]] std::optional<Range> unwritten_read(const ggml_tensor* node,
                                                  const std::vector<Range>& unwritten);

// The check that a node of a graph, about to be issued, needs later; none for most.
[[nodiscard]] std::optional<IndexedRead> indexed_read(const ggml_tensor* node,
                                                      int number,
                                                      Watch& watch);

// Makes the check; reports a fault.
void check_indices(const ggml_tensor* node, const IndexedRead& read, Actor actor, Watch& watch);

}  // namespace pshard::simgpu
