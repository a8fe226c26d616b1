// What the runtime is told to do. The runtime obeys, or refuses with a reason; it never plans.
//
// The plugin makes orders out of a registry or by a search (src/plugin/), from the inventory that
// the runtime hands it: the tensors that llama.cpp placed on PSHARD0 and the graphs that it
// reserved.
#pragma once

#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "plan/arena.h"
#include "runtime/rate_watch.h"

namespace pshard {

// The plan of one tier. Everything else follows from it and from the graph that arrives.
struct TierOrder {
    TierKey key;
    Placement placement;
    StageOptions options;
    std::string text{};       // in words, for people
    ExpectedRate expected{};  // of full batches

    bool operator==(const TierOrder&) const = default;
};

struct Orders {
    ArenaLayout arena;             // tiers as below
    std::vector<TierOrder> tiers;  // in the order of their keys, at least one
    // Bytes that the plan was made for. Its arena grows no further, so that other models keep the
    // rest.
    Bytes budget = std::numeric_limits<Bytes>::max();
    std::optional<DriverMemory> driver{};  // nullopt: unknown
    Bytes pools = 0;        // that the device may allocate beside the arena, besides `driver`
    std::string weights{};  // which model, for a trace: the registry's hash of its weights

    bool operator==(const Orders&) const = default;
};

// Gives orders. Asked once for each model, before its first graph is computed, and again when its
// contexts change. `budget`: device bytes that are left for this model's arena. An Error is what
// the user reads: why there is no plan, and what to do.
using OrderGiver = std::function<Result<Orders>(const Inventory& inventory, Bytes budget)>;

// One line for the user, without a line feed.
using Log = std::function<void(std::string_view line)>;

}  // namespace pshard
