// Makes the runtime's orders: from a registry, by a search here, or forced for tests.
#pragma once

#include <vector>

#include "planner/tier_choice.h"
#include "plugin/settings.h"
#include "runtime/orders.h"

namespace pshard {

// Everything that follows from the choices, packed into one arena of at most `budget`.
Result<Orders> orders_of(const Inventory& inventory,
                         const std::vector<TierChoice>& choices,
                         Bytes budget);

// The planner that the settings ask for. Each call moves on to the next forced strategy. `room`:
// the bytes that the device has for plans, whatever budget was given.
OrderGiver make_order_giver(PluginSettings settings, Bytes room, Log log);

}  // namespace pshard
