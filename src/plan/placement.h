// Where everything lies: one lane per weight and per state, as the registry's backend ids have it.
#pragma once

#include <cstdint>
#include <vector>

#include "inventory/inventory.h"

namespace pshard {

// Published backend ids for one GPU [S10].
enum class Lane : std::uint8_t {
    Gpu = 0,     // resident in VRAM
    ShardA = 1,  // in host memory, uploaded to a slot before each use; computed on the GPU
    ShardB = 2,  // the same, of the other parity
    Cpu = 3,     // in host memory, computed on the CPU
};

enum class Device : std::uint8_t { Gpu, Cpu };

constexpr bool is_streamed(Lane lane) { return lane == Lane::ShardA || lane == Lane::ShardB; }

constexpr Device device_of(Lane lane) { return lane == Lane::Cpu ? Device::Cpu : Device::Gpu; }

struct Placement {
    std::vector<Lane> weights;  // by Inventory::weights
    std::vector<Lane> states;   // by Inventory::states

    bool operator==(const Placement&) const = default;
};

// Bytes on the device of all that the placement keeps resident.
Bytes resident_weight_bytes(const Inventory& inventory, const Placement& placement);
Bytes resident_state_bytes(const Inventory& inventory, const Placement& placement);

}  // namespace pshard
