// Which ops a profiler times when no model says: shapes, types and batches that tell most of what
// public models ask for, the most telling first, so that a time limit cuts off the least.
#pragma once

#include <cstdint>
#include <vector>

#include "inventory/inventory.h"
#include "probe/op_case.h"

namespace pshard {

enum class OpListSize { Fast, Full };

// A CPU's batches go to 512, a GPU's to 2048 and, in full, to 16384.
[[nodiscard]] std::vector<OpCase> cpu_op_list(OpListSize size);
[[nodiscard]] std::vector<OpCase> gpu_op_list(OpListSize size);

// Each case once that the graphs of a model hold, in the order of the graphs. Nodes that read no
// weight in a MUL_MAT (attention without FLASH_ATTN_EXT), and ops that are not known here, are left
// out.
[[nodiscard]] std::vector<OpCase> model_op_list(const Inventory& inventory);

// The cases of these batches alone; all where `batches` is empty.
[[nodiscard]] std::vector<OpCase> with_batches(std::vector<OpCase> cases,
                                               const std::vector<std::int64_t>& batches);

// Whether a case is worth timing a second time while the link copies: matmuls of the types that
// users have most.
[[nodiscard]] bool is_worth_timing_under_copies(const OpCase& op_case);

}  // namespace pshard
