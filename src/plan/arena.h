// One arena of exactly the budget in the memory of a GPU, for all tiers of a registry variant.
//
//   0                                                                            budget
//   [ common weights and states | tier's own | A..B | experts | kept | scratch | free ]
//                               ^ common_end
//
// What all tiers keep resident has one address in all of them. Tensors that several tiers keep
// share an address where that costs no memory, so that a plan switch moves only the difference.
// Every size is a multiple of the device's alignment: a tier that fits alone fits here [A11].
#pragma once

#include <compare>
#include <vector>

#include "base/result.h"
#include "plan/scratch.h"
#include "plan/stages.h"

namespace pshard {

// What one tier asks of the arena of a GPU.
struct TierDemand {
    Placement placement;
    SlotSizes slots;
    Bytes scratch = 0;
    int gpu = 0;

    bool operator==(const TierDemand&) const = default;
};

struct TierArena {
    std::vector<Bytes> weights;  // offset of each resident weight, else kNoOffset
    std::vector<Bytes> states;   // offset of each resident state, else kNoOffset
    Bytes slots_begin = 0;
    SlotSizes slots;
    Bytes scratch_begin = 0;
    Bytes scratch = 0;
    Bytes end = 0;  // where all that the tier uses ends

    bool operator==(const TierArena&) const = default;
};

struct ArenaLayout {
    Bytes budget = 0;
    Bytes common_end = 0;  // [0, common_end): what is resident in all tiers
    std::vector<TierArena> tiers;

    bool operator==(const ArenaLayout&) const = default;
};

// Device memory that the driver takes besides all arenas.
struct DriverMemory {
    Bytes bytes = 0;   // expected
    Bytes unseen = 0;  // the part that is taken before the device can first be asked what is free

    auto operator<=>(const DriverMemory&) const = default;
};

// Bytes that a tier needs in the arena.
Bytes arena_bytes(const Inventory& inventory, const TierDemand& demand);

// Lays out the tiers of one GPU. Fails if a tier needs more than the budget; the Error names the
// tier by its index and the bytes missing.
Result<ArenaLayout> pack_arena(const Inventory& inventory,
                               const std::vector<TierDemand>& tiers,
                               Bytes budget);

// Offset in the arena of a streamed group's first byte; its weights, then its states, follow.
Bytes group_offset(const TierArena& arena, const StreamGroup& group, Bytes group_bytes);

// Bytes that must be uploaded to go from one tier's residency to another's.
struct SwitchBytes {
    Bytes weights = 0;
    Bytes states_up = 0;    // states that become resident
    Bytes states_down = 0;  // states that leave, or move

    Bytes total() const { return weights + states_up + states_down; }

    bool operator==(const SwitchBytes&) const = default;
};

SwitchBytes switch_bytes(const Inventory& inventory, const TierArena& from, const TierArena& to);

}  // namespace pshard
