// Which plans of a registry serve a run: the one matcher of all programs.
//
// In: a registry, and what is known of a run. Out: the plans that serve it, or why none does.
//
// The published fingerprint is made of -c, -np, -t, -fa, the types of the cache and the size of the
// model's file. A device sees none of these; a launcher knows them, but has not seen the model. So
// each tells what it knows, and a plan serves if every rule that can be asked lets it pass:
//
//   known            who knows it      a plan serves if
//   named            both              its section (and ubatch, and weights) is among them
//   seen             the device        its pshard lines name these weights and these states, its
//                                      ubatch holds the largest batch, its budget is there
//   asked            the launcher      the model's tensors, budget, cache and depth are as asked,
//                                      its largest tier is the ubatch that was named or, where none
//                                      was, no tier was left out for a named one; and it shares
//                                      with what was named
//   both                              no tier keeps more layers on the GPU than the model has
//   always                             it is whole, says which model it is for, and is of the
//                                      version that pshard writes now
//
// If several plans serve, those with the largest budget win. They stand in the order of the file,
// so that the newest is the last. If more than one is left, they differ in what only the
// fingerprint tells; whoever cannot tell them apart takes the newest and warns.
//
// The traps: the states of layers that only draft belong to a context of their own, which a plan
// knows nothing of, so states match with or without them. A budget that a plan shares with a draft
// model is not all needed: the draft model may have taken its part before. A plan that was cut off
// at the file's end looks like a smaller one: it is damaged, never a plan.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "inventory/inventory.h"
#include "registry/registry.h"

namespace pshard {

// Names plans of a registry: those of one section, and in it those of one ubatch and for one
// weights_hash, if these are given.
struct PlanName {
    Hash64 section;
    std::optional<std::uint32_t> cache_ubatch{};
    std::optional<Hash64> weights{};

    bool operator==(const PlanName&) const = default;
};

// As PSHARD_FINGERPRINT has it: "0x0123456789abcdef", ":512" for the ubatch, ":0x..." for the
// weights.
std::string to_text(const PlanName& name);

// A model that a device has seen, and the bytes that it has for it.
struct SeenRun {
    const Inventory& inventory;
    Bytes budget = 0;
};

// What a launcher was asked for.
struct AskedRun {
    std::uint64_t budget_mib = 0;
    bool kv_unified = false;
    bool swa_full = false;
    std::uint32_t n_ctx = 0;                  // tokens; 0: not known
    std::optional<std::uint32_t> n_ubatch{};  // tokens, as the user has named it; nullopt: not
    std::optional<std::uint32_t> largest{};  // else tokens that no tier was to exceed; nullopt: any
    std::optional<std::uint32_t> depth{};    // tokens; nullopt: any
    std::optional<Hash64> tensors{};         // Inventory::header_hash of the model; nullopt: any
    std::optional<Hash64> sharers{};         // hash of what shares the budget; nullopt: nothing
    std::optional<int> n_layers{};           // of the model; nullopt: not known
};

struct KnownRun {
    std::vector<PlanName> named;  // only these plans are looked at; empty: all
    std::optional<SeenRun> seen{};
    std::optional<AskedRun> asked{};
};

struct FoundPlan {
    const RegistrySection* section = nullptr;
    const RegistryVariant* variant = nullptr;
};

struct FoundPlans {
    std::vector<FoundPlan> best;  // of the largest budget, the newest last; empty: none serves
    std::string reason;           // if none serves: why the last one that was looked at does not
    std::vector<FoundPlan>
        damaged;  // passed over: cut off, or changed or too large and else the one
};

FoundPlans find_plans(const Registry& registry, const KnownRun& run);

// Whether a tier keeps more layers on the GPU than the model has, which no planner writes.
bool pins_too_much(const RegistryVariant& variant, std::optional<int> n_layers);

// What a user should know of a plan that is taken as it stands, as an older planner wrote it, or
// since somebody has edited it and deleted its checksum; "" where it was compared with its
// checksum.
std::string unchecked(const RegistryVariant& variant);

// The parts of a plan's budget: what it leaves to a draft model and the like, what it leaves to the
// device's own pools, and the rest.
Bytes shared_bytes(const RegistryVariant& variant);
Bytes pool_bytes(const RegistryVariant& variant);
Bytes own_budget(const RegistryVariant& variant);

}  // namespace pshard
