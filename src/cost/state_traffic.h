// The bytes of KV cache and recurrent state that travel when their layer is streamed.
//
//   KV cache        up: the cells in use at the depth; down: the cells that the batch writes
//   transposed V    all of it, both ways: without flash attention its cells are not contiguous
//   recurrent       all of it, both ways, in every pass, whatever the other states do [A9]
//
// Source: [S16].
#pragma once

#include <cstdint>

#include "base/units.h"
#include "inventory/inventory.h"

namespace pshard {

struct StateTraffic {
    Bytes upload = 0;
    Bytes download = 0;

    bool operator==(const StateTraffic&) const = default;
};

// The traffic of one pass of `graph`, with `depth_tokens` tokens of each sequence in the cache
// before it.
[[nodiscard]] StateTraffic state_traffic(const State& state,
                                         const Graph& graph,
                                         const Inventory& inventory,
                                         std::uint32_t depth_tokens);

}  // namespace pshard
