// What the driver takes of the device's memory besides the arena, held against what was predicted.
//
// A driver loads kernels, and its pools grow, when a batch of a size is first computed. So the
// device is asked after the first pass of each tier. The user is told once, when the smallest and
// the largest tier have run; and is warned, once, as soon as more is taken than was agreed on.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>

#include "runtime/orders.h"

namespace pshard {

// What we hold of the device's memory, and what was agreed on.
struct MemoryClaims {
    Bytes arenas = 0;
    Bytes budget = 0;                      // for all arenas together
    std::optional<DriverMemory> driver{};  // predicted; nullopt: nobody measured this machine
};

// What a prediction may be wrong by: what the profile's run had computed is not this model, and
// drivers hand memory out in pieces of 2 MiB and more.
inline constexpr Bytes kOutsideTolerance = 64 * kMiB;

// How many bytes that were free before are neither free now nor in the arenas. nullopt: that cannot
// be told, as others have given memory back, or the device counts none.
std::optional<Bytes> taken_outside(Bytes before, Bytes now, Bytes arenas);

// Why it is too much: more than was predicted, and with it all that is taken is more than the
// budget and the prediction allow. Empty: it is not.
// `outside`: with what was unseen.
std::string outside_excess(const MemoryClaims& claims, Bytes outside);

// The tier that a pass ran in, among those of its plan.
struct TierOfPass {
    TierKey key;
    TierKey smallest;
    TierKey largest;
};

class MemoryWatch {
public:
    // `free_bytes` of the device is asked at once: nothing of ours may be there yet. Without it
    // (a device that shares the host's memory) nothing is ever told.
    MemoryWatch(std::function<Bytes()> free_bytes, Log log);

    // After each pass; whether there is something to look at.
    bool is_news(const TierOfPass& tier);

    // Asks the device, and tells.
    void look(const MemoryClaims& claims);

private:
    void tell(const MemoryClaims& claims, std::optional<Bytes> outside);
    void warn(const MemoryClaims& claims, Bytes outside);

    std::function<Bytes()> free_bytes_;
    Log log_;
    Bytes before_ = 0;
    std::set<TierKey> tiers_;  // that have run
    int n_passes_ = 0;
    bool due_ = false;
    bool told_ = false;
    bool warned_ = false;
};

}  // namespace pshard
