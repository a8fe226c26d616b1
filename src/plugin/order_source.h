// Where the runtime's orders come from: the registry, a search here, or forced for tests.
#pragma once

#include <optional>
#include <vector>

#include "plugin/settings.h"
#include "runtime/orders.h"

namespace pshard {

// A plan of one tier in words, with the graph that sizes its scratch.
struct TierChoice {
    TierKey key;
    PlanChoice choice;
    StageOptions options;
    const Graph* graph = nullptr;
    std::optional<Bytes> scratch{};  // what a planner has found that the tier needs
    double tokens_per_second = 0;    // expected of such a batch with an empty cache; 0: unknown
};

// Everything in VRAM; the same plan for each graph that was seen.
PlanChoice everything_resident(const Inventory& seen);
std::vector<TierChoice> same_in_all_tiers(const Inventory& seen, const PlanChoice& choice);

// Everything that follows from the choices, packed into one arena of at most `budget`.
Result<Orders> orders_of(const Inventory& seen,
                         const std::vector<TierChoice>& choices,
                         Bytes budget);

// The planner that the settings ask for. Each call moves on to the next forced strategy. `room`:
// the device has so much for plans, whatever budget was given.
Planner make_planner(PluginSettings settings, Bytes room, Log log);

}  // namespace pshard
