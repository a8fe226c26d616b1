// A plan that llama-pshard-plan-params has left in a registry, as the device runs it.
//
// find_plans() (planner/registry_match.h) says which plan serves; here it becomes choices with the
// graphs that the device has seen. Those may differ from what was planned. The runtime cuts the
// graphs that arrive, so that no token becomes wrong: a difference is no reason to refuse the plan,
// and a warning says what it may cost.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plan/arena.h"
#include "planner/registry_match.h"
#include "planner/tier_choice.h"

namespace pshard {

struct RegistryMatch {
    std::vector<TierChoice> choices;       // empty: none matches
    std::string text;                      // which plan, or why none
    Bytes budget = 0;                      // of the plan that was taken
    std::optional<DriverMemory> driver{};  // expected by the plan
    std::vector<std::string> warnings{};   // how the run differs from the plan, one sentence each
    Bytes planned_for = 0;                 // `budget`, and what the plan leaves to other models
    bool all_resident = false;             // nothing is streamed, and the CPU computes nothing
};

// `budget`: what the device has for the model. `named`: as KnownRun::named.
RegistryMatch match_registry(const Registry& registry,
                             const Inventory& inventory,
                             Bytes budget,
                             const std::vector<PlanName>& named = {});

// Device memory that a plan may have.
struct DeviceRoom {
    Bytes there = 0;
    Bytes spared = 0;  // what the planner leaves free where nobody gave it a budget
};

// A warning where the plan uses clearly less than the device has; "": it does not.
std::string unused_room(const RegistryMatch& match, const DeviceRoom& room);

}  // namespace pshard
