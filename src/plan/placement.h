// Where everything lies: one lane per weight and per state, as the registry's backend ids have it.
#pragma once

#include <vector>

#include "inventory/inventory.h"
#include "plan/device.h"

namespace pshard {

struct Placement {
    std::vector<Lane> weights;  // by Inventory::weights
    std::vector<Lane> states;   // by Inventory::states

    bool operator==(const Placement&) const = default;
};

// How many GPUs the placement uses: one more than the highest that it names, at least one.
int count_gpus(const Placement& placement);

// Bytes of all that the placement keeps resident on a GPU.
Bytes resident_weight_bytes(const Inventory& inventory, const Placement& placement, int gpu = 0);
Bytes resident_state_bytes(const Inventory& inventory, const Placement& placement, int gpu = 0);

}  // namespace pshard
