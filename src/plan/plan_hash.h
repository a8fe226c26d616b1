// What a registry keeps of a plan to recognise it: hashes of numbers, none of names or addresses.
#pragma once

#include "base/fingerprint.h"
#include "plan/arena.h"
#include "plan/schedule.h"

namespace pshard {

// Of the ops, types, shapes and edges of a graph: equal where the same plan can be run.
Hash64 graph_hash(const Graph& graph);

// Of a tier's arena, its stages and its schedule: equal where a runtime allocates and does the
// same.
Hash64 schedule_hash(const TierArena& arena, const StageCut& cut, const Schedule& schedule);

}  // namespace pshard
