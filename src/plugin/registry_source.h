// Plans that llama-pshard-plan-params has left in a registry, matched by what the device sees.
//
// The published fingerprint has inputs that a device never sees (-c, -t, the file's size). So a
// variant is taken if its own lines name these weights and these states, and a ubatch that holds
// what llama.cpp reserved; of several, the largest budget that the device's budget holds.
//
// What is seen and cannot make a token wrong is no reason to refuse: the runtime cuts the graphs
// that arrive. Where it differs from what was planned, a warning says what that may cost.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plugin/order_source.h"
#include "registry/registry.h"

namespace pshard {

struct RegistryMatch {
    std::vector<TierChoice> choices;       // empty: none matches
    std::string text;                      // which plan, or why none
    Bytes budget = 0;                      // of the plan that was taken
    std::optional<DriverMemory> driver{};  // expected by the plan
    std::vector<std::string> warnings{};   // what the run differs in, one sentence each
};

RegistryMatch match_registry(const Registry& registry, const Inventory& seen, Bytes budget);

// The registries to look into: `given`, else those that lie beside model files that this process
// was started with or has mapped, each once: a draft model has its own. Empty: there is none.
std::vector<std::string> find_registries(const std::string& given);

}  // namespace pshard
