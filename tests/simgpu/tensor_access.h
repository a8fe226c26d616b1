// What a ggml tensor or node touches, as the checker wants to hear it.
#pragma once

#include <string>
#include <vector>

#include <ggml.h>

#include "simgpu/checker.h"

namespace pshard::simgpu {

[[nodiscard]] Range range_of(const void* data, std::size_t bytes);

// The bytes of a tensor's values: for a strided view its rows alone, where they are few enough to
// be told one by one. Padding is no value.
[[nodiscard]] std::vector<Range> extents_of(const ggml_tensor* tensor);

// Whether a node computes nothing: views, and nodes without values.
[[nodiscard]] bool touches_nothing(const ggml_tensor* node);

// Whether a node's first source is used in part: the experts or rows that its indices name.
[[nodiscard]] bool reads_by_index(const ggml_tensor* node);

// Whether a source is where the node writes: the destination of CPY and SET_ROWS, a source in name
// only.
[[nodiscard]] bool is_destination(const ggml_tensor* node, int source);

// What a node reads and writes, reads first.
[[nodiscard]] std::vector<Access> accesses_of(const ggml_tensor* node);

// "MUL_MAT ffn_out-0"
[[nodiscard]] std::string operation_name(const ggml_tensor* node);

}  // namespace pshard::simgpu
