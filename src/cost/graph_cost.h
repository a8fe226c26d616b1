// Seconds of every node of a graph on every processor: what a simulator adds up.
//
// Called once for each tier and depth. A graph of 6000 nodes takes under a millisecond with a
// prepared Roofline.
#pragma once

#include <cstdint>
#include <vector>

#include "cost/roofline.h"
#include "inventory/inventory.h"
#include "machine/machine_profile.h"

namespace pshard {

// One processor's prices, indexed as Graph::nodes. All empty when the profile knows nothing of
// that processor: rank by memory then, never take it for 0 seconds.
struct ProcessorCost {
    std::vector<Seconds> seconds;
    std::vector<Bound> bound_by;
    std::vector<std::uint8_t> extrapolated;  // 0 or 1
    Seconds graph_seconds = 0;               // of each stage: a graph that is computed by itself

    [[nodiscard]] bool known() const { return !seconds.empty(); }

    bool operator==(const ProcessorCost&) const = default;
};

struct GraphCost {
    std::uint32_t depth_tokens = 0;
    ProcessorCost gpu;
    ProcessorCost cpu;
    ProcessorCost cpu_under_copies;
    ProcessorCost gpu_under_copies;  // not known() where the profile does not tell

    [[nodiscard]] const ProcessorCost& on(Processor processor) const;

    bool operator==(const GraphCost&) const = default;
};

// `depth_tokens`: tokens of each sequence in the cache before the batch.
[[nodiscard]] GraphCost price_graph(const Graph& graph,
                                    const Inventory& inventory,
                                    const Roofline& roofline,
                                    std::uint32_t depth_tokens);

// The same of a profile, whose Roofline it prepares first.
[[nodiscard]] GraphCost price_graph(const Graph& graph,
                                    const Inventory& inventory,
                                    const MachineProfile& profile,
                                    std::uint32_t depth_tokens);

}  // namespace pshard
