// Which ops a profiler times. When no model says which, it takes the shapes, types and batches that
// most public models ask for, the most telling first, so that a time limit cuts off the least.
#pragma once

#include <cstdint>
#include <vector>

#include "inventory/inventory.h"
#include "probe/op_case.h"

namespace pshard {

enum class OpListSize { Fast, Full };

// The batches of a CPU go up to 512 tokens. Those of a GPU go up to 8192, and in full to 16384.
[[nodiscard]] std::vector<OpCase> cpu_op_list(OpListSize size);
[[nodiscard]] std::vector<OpCase> gpu_op_list(OpListSize size);

// The cases that the graphs of a model hold, each once, in the order of the graphs. A MUL_MAT that
// reads no weight (attention without FLASH_ATTN_EXT) and ops that are not known here are left out.
[[nodiscard]] std::vector<OpCase> model_op_list(const Inventory& inventory);

// Only the cases of these batches; all cases if `batches` is empty.
[[nodiscard]] std::vector<OpCase> with_batches(std::vector<OpCase> cases,
                                               const std::vector<std::int64_t>& batches);

// Whether a case is worth a second timing while the link copies: matmuls of the types that users
// have most, at 1 token or at many.
[[nodiscard]] bool is_worth_timing_under_copies(const OpCase& op_case);

}  // namespace pshard
