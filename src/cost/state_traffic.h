// Bytes of KV cache and recurrent state that travel when their layer is streamed.
//
//   KV          up: the cells in use (depth), not the whole cache; down: the cells written
//   recurrent   all of it, both ways, every step, whatever the model's other states do [A9]
//   KV with a transposed V (no flash attention): V's rows are not contiguous, so V travels whole
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

// A step of `graph` with `depth_tokens` tokens of each sequence in the cache before it.
[[nodiscard]] StateTraffic state_traffic(const State& state,
                                         const Graph& graph,
                                         const Inventory& inventory,
                                         std::uint32_t depth_tokens);

}  // namespace pshard
