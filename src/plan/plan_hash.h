// What a registry keeps of a plan to recognise it: hashes of what the planner, which reads whole
// graphs, and the backend, which sees a device's part of them, both know. Tensors go by name: the
// two list them in other orders.
#pragma once

#include <optional>

#include "base/fingerprint.h"
#include "plan/stages.h"

namespace pshard {

// The part of a graph that llama.cpp hands to a device which holds all weights and states: from the
// first node that it computes there to the last of the graph. What comes before is an input.
// nullopt: some node behind the first is the CPU's, or none is the device's, so that no one part
// stands for the graph.
std::optional<Graph> device_part(const Inventory& inventory, const Graph& graph);

// Of the ops of a device's part, their types, edges and streams: equal where llama.cpp asks for the
// same. Other sizes do not count: batch and cache are told apart by tokens and bytes, and rows of
// logits are reserved as each program likes.
Hash64 ops_hash(const Inventory& inventory, const Graph& part);

// Of the steps that a device's part comes to by a placement, and of what each of them computes or
// moves: equal where the same is done. Addresses do not count. nullopt: it cannot be streamed.
std::optional<Hash64> steps_hash(const Inventory& inventory,
                                 const Graph& part,
                                 const Placement& placement,
                                 const StageOptions& options);

}  // namespace pshard
