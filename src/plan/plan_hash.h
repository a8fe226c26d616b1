// The hashes by which a registry recognises a plan. The planner reads whole graphs and the backend
// sees a device's part of them, so the hashes cover what both know. Tensors go by name, since the
// two list them in different orders.
#pragma once

#include <optional>

#include "base/fingerprint.h"
#include "plan/stages.h"

namespace pshard {

// The part of a graph that llama.cpp hands to a device which holds all weights and states: from the
// first node that it computes there to the last of the graph. What comes before is an input.
// nullopt: no single part stands for the graph, since the CPU computes some node after the first,
// or the device computes none.
std::optional<Graph> device_part(const Inventory& inventory, const Graph& graph);

// Hashes the ops of a device's part, their types, edges and streams: two hashes are equal where
// llama.cpp asks for the same. No other size counts: tokens and bytes tell batches and caches
// apart, and each program reserves rows of logits as it likes.
Hash64 ops_hash(const Inventory& inventory, const Graph& part);

// Hashes the steps that a placement makes of a device's part, and what each of them computes or
// moves: two hashes are equal where the same is done. Addresses do not count. nullopt: the part
// cannot be streamed.
std::optional<Hash64> steps_hash(const Inventory& inventory,
                                 const Graph& part,
                                 const Placement& placement,
                                 const StageOptions& options);

}  // namespace pshard
