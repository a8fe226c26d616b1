// Plans that llama-pshard-plan-params has left in a registry, matched by what the device sees.
//
// The published fingerprint has inputs that a device never sees (-c, -t, the file's size). So a
// variant is taken if its pshard lines name these weights and these states, and a ubatch that holds
// what llama.cpp reserved; of several, the largest budget that the device's budget holds, and of
// equal budgets the newest. Who knows more (llama-pshard-run does) names the plan.
//
// What is seen and cannot make a token wrong is no reason to refuse: the runtime cuts the graphs
// that arrive. Where it differs from what was planned, a warning says what that may cost.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plan/arena.h"
#include "planner/tier_choice.h"
#include "registry/registry.h"

namespace pshard {

// Plans of a registry: of one section, and in it of one ubatch if that is given.
struct PlanName {
    Hash64 section;
    std::optional<std::uint32_t> cache_ubatch{};

    bool operator==(const PlanName&) const = default;
};

struct RegistryMatch {
    std::vector<TierChoice> choices;       // empty: none matches
    std::string text;                      // which plan, or why none
    Bytes budget = 0;                      // of the plan that was taken
    std::optional<DriverMemory> driver{};  // expected by the plan
    std::vector<std::string> warnings{};   // what the run differs in, one sentence each
    Bytes planned_for = 0;                 // `budget`, and what the plan leaves to other models
    bool all_resident = false;             // nothing is streamed, nothing is the CPU's
};

// `named`: no other plans are taken; empty: all may be.
RegistryMatch match_registry(const Registry& registry,
                             const Inventory& seen,
                             Bytes budget,
                             const std::vector<PlanName>& named = {});

// Device memory that a plan may have.
struct DeviceRoom {
    Bytes there = 0;
    Bytes spared = 0;  // a planner that nobody gave a budget leaves so much, and rightly
};

// A warning: of what is there, the plan uses clearly less than it could. "": it does not.
std::string unused_room(const RegistryMatch& match, const DeviceRoom& room);

}  // namespace pshard
