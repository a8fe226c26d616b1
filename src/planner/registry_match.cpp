#include "planner/registry_match.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "base/counted.h"

namespace pshard {
namespace {

constexpr std::string_view kAltered = "its plan was changed after it was written: plan again";

constexpr std::string_view kPinsTooMuch =
    "its plans keep more layers on the GPU than the model has: plan again";

std::uint32_t largest_batch(const Inventory& inventory) {
    return inventory.graphs.empty() ? 0 : inventory.graphs.back().n_tokens;
}

// The states without those of layers that draft, which belong to a context of their own: a plan
// leaves room for it and knows nothing else of it.
std::vector<State> main_states(const Inventory& inventory) {
    std::set<int> drafting;
    for (const Weight& weight : inventory.weights) {
        if (weight.name.find(".nextn.") != std::string::npos) drafting.insert(weight.layer);
    }
    std::vector<State> states = inventory.states;
    std::erase_if(states, [&](const State& state) { return drafting.contains(state.layer); });
    return states;
}

// The largest batch that llama.cpp reserves in a context with that ubatch: a whole number of tokens
// for each sequence (graph_reserve, v0.5.0).
std::uint32_t reserved_tokens(std::uint32_t n_ubatch, const RegistrySection& section) {
    const std::uint32_t n_seqs = section.settings ? section.settings->n_seq_max : 1;
    const std::uint32_t rest = n_ubatch % std::max(n_seqs, 1U);
    return rest == 0 ? n_ubatch : n_ubatch + n_seqs - rest;
}

// Whether a plan is for such states: those that it was made with, or those of a smaller ubatch.
bool has_states(const PshardVariant& plan, Hash64 states) {
    return *plan.states == states ||
           plan.smaller_states.value_or("").find(to_text(states)) != std::string::npos;
}

// Why a plan is not for what the device sees; "" if it is.
std::string mismatch(const FoundPlan& found, const Inventory& inventory) {
    const PshardVariant& plan = found.variant->pshard;
    const Hash64 weights = weights_hash(inventory.weights);
    if (*plan.weights != weights && plan.all_weights != weights)
        return "its plans are for another model";
    const bool same_states = has_states(plan, states_hash(inventory.states)) ||
                             has_states(plan, states_hash(main_states(inventory)));
    const std::uint32_t n_ubatch = plan.n_ubatch.value_or(0);
    if (!same_states) {
        return fmt::format(
            "its plans are for another context (-c, -np, -kvu, -ctk, -ctv, --swa-full, and with "
            "sliding windows -ub {})",
            n_ubatch);
    }
    const std::uint32_t reserved = largest_batch(inventory);
    if (reserved_tokens(n_ubatch, *found.section) >= reserved) return "";
    const bool left_out = plan.asked_ubatch.value_or(n_ubatch) >= reserved;
    return fmt::format("its plans are for -ub {}{}, this run reserves {}",
                       n_ubatch,
                       left_out ? ", as larger batches were reckoned slower" : "",
                       counted(reserved, "token"));
}

// Whether a plan is for the batches that were asked for, cut to the context: its largest tier is
// the named ubatch, or, where none is named, it was chosen of all tiers up to the largest that may
// be. With sliding windows the plan says so: else it is the plan of a named ubatch, whose cache may
// be a slow one.
bool has_asked_batches(const PshardVariant& plan, const AskedRun& asked) {
    const auto cut = [&](std::uint32_t tokens) {
        return asked.n_ctx > 0 ? std::min(tokens, asked.n_ctx) : tokens;
    };
    if (!plan.n_ubatch) return false;
    if (asked.n_ubatch) return *plan.n_ubatch == cut(*asked.n_ubatch);
    if (!asked.largest) return true;
    const bool named = plan.windowed.value_or(true) && !plan.asked_ubatch;
    return !named && plan.asked_ubatch.value_or(*plan.n_ubatch) == cut(*asked.largest);
}

// Whether a plan is what a launcher was asked for.
bool is_asked_for(const RegistryVariant& plan, const AskedRun& asked) {
    const PshardVariant& made_for = plan.pshard;
    const bool same_depth = std::ranges::all_of(plan.tiers, [&](const RegistryTier& tier) {
        return !asked.depth || !tier.pshard.depth || tier.pshard.depth == asked.depth;
    });
    const bool same_model =
        !asked.tensors || !made_for.tensors || asked.tensors == made_for.tensors;
    const bool shares = made_for.sharers == asked.sharers && (asked.sharers || !made_for.shared);
    return same_model && same_depth && plan.budget_mib == asked.budget_mib && shares &&
           made_for.kv_unified == asked.kv_unified && made_for.swa_full == asked.swa_full &&
           has_asked_batches(made_for, asked);
}

// The layers of the model, as far as they are known.
std::optional<int> layers_of(const KnownRun& run) {
    if (run.seen) return run.seen->inventory.n_layers;
    return run.asked ? run.asked->n_layers : std::nullopt;
}

// Asks each rule that can be asked. A plan that was changed is only missed by the run that it would
// serve, so that is asked last. "" if the plan serves, else why not: a sentence that goes on
// after the registry's name.
std::string mismatch(const FoundPlan& found, const KnownRun& run) {
    const RegistryVariant& plan = *found.variant;
    const bool says_its_model = plan.pshard.weights && plan.pshard.states;
    if (!says_its_model) return "its plans do not say which model they are for";
    if (has_damaged_tiers(plan)) return "its tiers are damaged, the file was cut off: plan again";
    if (!plan.altered && plan.pshard.version.value_or(0) != kPshardVersion) {
        return "its plans are of another form: plan again";
    }
    if (run.asked && !is_asked_for(plan, *run.asked)) return "its plans are for other settings";
    std::string fault = run.seen ? mismatch(found, run.seen->inventory) : "";
    if (!fault.empty()) return fault;
    if (pins_too_much(plan, layers_of(run))) return std::string(kPinsTooMuch);
    if (plan.altered) return std::string(kAltered);
    if (!run.seen) return "";
    if (own_budget(plan) <= run.seen->budget) return "";
    return fmt::format("its plans need a budget of {:.0f} MiB, {:.0f} are left",
                       in_mib(own_budget(plan)),
                       in_mib(run.seen->budget));
}

bool is_named(const FoundPlan& plan, const std::vector<PlanName>& names) {
    const RegistryVariant& variant = *plan.variant;
    return names.empty() || std::ranges::any_of(names, [&](const PlanName& name) {
               return name.section == plan.section->fingerprint &&
                      name.cache_ubatch.value_or(variant.cache_ubatch) == variant.cache_ubatch &&
                      (!name.weights || name.weights == variant.pshard.weights);
           });
}

std::vector<FoundPlan> named_plans(const Registry& registry, const std::vector<PlanName>& names) {
    std::vector<FoundPlan> plans;
    for (const RegistrySection& section : registry.sections) {
        for (const RegistryVariant& variant : section.variants) {
            const FoundPlan plan{&section, &variant};
            if (is_named(plan, names)) plans.push_back(plan);
        }
    }
    return plans;
}

void keep_largest(std::vector<FoundPlan>& plans) {
    std::uint32_t largest = 0;
    for (const FoundPlan& plan : plans) largest = std::max(largest, plan.variant->budget_mib);
    std::erase_if(plans, [&](const FoundPlan& plan) { return plan.variant->budget_mib < largest; });
}

}  // namespace

std::string to_text(const PlanName& name) {
    std::string text = to_text(name.section);
    if (name.cache_ubatch) text += fmt::format(":{}", *name.cache_ubatch);
    if (name.cache_ubatch && name.weights) text += ":" + to_text(*name.weights);
    return text;
}

Bytes shared_bytes(const RegistryVariant& variant) {
    return std::min(variant.pshard.shared.value_or(0), variant.budget_mib * kMiB);
}

Bytes pool_bytes(const RegistryVariant& variant) {
    return std::min(variant.pshard.pools.value_or(0),
                    variant.budget_mib * kMiB - shared_bytes(variant));
}

Bytes own_budget(const RegistryVariant& variant) {
    return variant.budget_mib * kMiB - shared_bytes(variant) - pool_bytes(variant);
}

std::string unchecked(const RegistryVariant& variant) {
    if (variant.pshard.checksum) return "";
    return "it has no checksum, so nobody can tell whether it is as it was written";
}

bool pins_too_much(const RegistryVariant& variant, std::optional<int> n_layers) {
    return n_layers && std::ranges::any_of(variant.tiers, [&](const RegistryTier& tier) {
               const PlanChoice choice = tier.pshard.plan.value_or(tier.choice);
               return std::max(choice.n_pinned, choice.n_attn_pinned) > *n_layers;
           });
}

FoundPlans find_plans(const Registry& registry, const KnownRun& run) {
    FoundPlans found;
    for (const FoundPlan& plan : named_plans(registry, run.named)) {
        std::string fault = mismatch(plan, run);
        if (fault.empty()) {
            found.best.push_back(plan);
            continue;
        }
        const bool is_meant =
            has_damaged_tiers(*plan.variant) || fault == kAltered || fault == kPinsTooMuch;
        if (is_meant) found.damaged.push_back(plan);
        found.reason = std::move(fault);
    }
    keep_largest(found.best);
    return found;
}

}  // namespace pshard
