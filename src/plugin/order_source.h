// Where the runtime's orders come from: forced by the environment, or searched for here.
#pragma once

#include "plugin/settings.h"
#include "runtime/orders.h"

namespace pshard {

// A plan of one tier in words, with the graph that sizes its scratch.
struct TierChoice {
    std::uint32_t n_tokens = 0;
    PlanChoice choice;
    StageOptions options;
    const Graph* graph = nullptr;
};

// Everything that follows from the choices, packed into one arena of at most `budget`.
Result<Orders> orders_of(const Inventory& seen,
                         const std::vector<TierChoice>& choices,
                         Bytes budget);

// The planner that the settings ask for. Each call moves on to the next forced strategy.
Planner make_planner(PluginSettings settings, Log log);

}  // namespace pshard
