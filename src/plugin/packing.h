// What follows from the choices of a plan: where everything lies in the one arena.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "planner/tier_choice.h"
#include "runtime/orders.h"

namespace pshard {

// Everything that follows from the choices, packed into one arena of at most `budget` or, where
// that has no slots for the layers of a context that drafts, of at most `larger`.
Result<Orders> orders_of(const Inventory& inventory,
                         const std::vector<TierChoice>& choices,
                         Bytes budget,
                         std::optional<Bytes> larger = std::nullopt);

// The tier with as much less on the device as makes it fit that budget alone; as it is, if nothing
// does.
TierChoice fitted(const Inventory& inventory, const TierChoice& tier, Bytes budget);

// Strategy, counts and expected rate of a tier's plan, for the log.
std::string text_of(const TierChoice& tier);

}  // namespace pshard
