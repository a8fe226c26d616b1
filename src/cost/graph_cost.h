// The seconds of every node of a graph on every processor, which a simulator adds up.
//
// A graph is priced once for each depth. A graph of 6000 nodes takes under a millisecond with a
// prepared Roofline.
#pragma once

#include <cstdint>
#include <vector>

#include "cost/roofline.h"
#include "inventory/inventory.h"
#include "machine/machine_profile.h"

namespace pshard {

// The prices of one processor, indexed as Graph::nodes. All lists are empty if the profile knows
// nothing of the processor; the caller must then rank by memory, and not take the price for 0.
struct ProcessorCost {
    std::vector<Seconds> seconds;
    std::vector<Bound> bound_by;
    std::vector<std::uint8_t> extrapolated;  // 0 or 1
    Seconds graph_seconds = 0;               // for each stage, as a graph computed by itself

    [[nodiscard]] bool known() const { return !seconds.empty(); }

    bool operator==(const ProcessorCost&) const = default;
};

struct GraphCost {
    std::uint32_t depth_tokens = 0;
    ProcessorCost gpu;
    ProcessorCost cpu;
    ProcessorCost cpu_under_copies;
    ProcessorCost gpu_under_copies;  // not known() if the profile has no GPU rates under copies

    [[nodiscard]] const ProcessorCost& on(Processor processor) const;

    bool operator==(const GraphCost&) const = default;
};

// `depth_tokens` counts the tokens of each sequence in the cache before the batch.
[[nodiscard]] GraphCost price_graph(const Graph& graph,
                                    const Inventory& inventory,
                                    const Roofline& roofline,
                                    std::uint32_t depth_tokens);

// The same by a profile, for which it prepares a Roofline first.
[[nodiscard]] GraphCost price_graph(const Graph& graph,
                                    const Inventory& inventory,
                                    const MachineProfile& profile,
                                    std::uint32_t depth_tokens);

}  // namespace pshard
