// Makes the runtime's orders: from a registry, by a search here, or forced for tests.
#pragma once

#include <string>

#include "plugin/settings.h"
#include "runtime/orders.h"

namespace pshard {

// What plans are made for here.
struct DeviceHere {
    Bytes room = 0;          // the bytes that it has for plans, whatever budget was given
    std::string gpu_name{};  // as profiles name it; empty: not known, or no GPU
    Bytes host_memory = 0;   // that was available before a model was loaded; 0: not known
};

// The planner that the settings ask for. Each call moves on to the next forced strategy.
// `progress`: told how far the planning is, where it takes more than a second.
OrderGiver make_order_giver(PluginSettings settings, DeviceHere device, Log log, Log progress = {});

}  // namespace pshard
