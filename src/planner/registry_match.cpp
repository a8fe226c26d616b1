#include "planner/registry_match.h"

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

namespace pshard {
namespace {

std::uint32_t largest_batch(const Inventory& inventory) {
    return inventory.graphs.empty() ? 0 : inventory.graphs.back().n_tokens;
}

// Without the states of the layers that draft: they are of a context of their own, which a plan
// leaves room for and knows nothing else of.
std::vector<State> main_states(const Inventory& inventory) {
    std::set<int> drafting;
    for (const Weight& weight : inventory.weights) {
        if (weight.name.find(".nextn.") != std::string::npos) drafting.insert(weight.layer);
    }
    std::vector<State> states = inventory.states;
    std::erase_if(states, [&](const State& state) { return drafting.contains(state.layer); });
    return states;
}

// A rule: "" lets a plan pass, else a sentence that goes on after the registry's name.
using Rule = std::string (*)(const RegistryVariant&, const KnownRun&);

std::string says_its_model(const RegistryVariant& plan, const KnownRun& run) {
    if (!run.seen || (plan.pshard.weights && plan.pshard.states)) return "";
    return "its plans do not say which model they are for";
}

std::string is_whole(const RegistryVariant& plan, const KnownRun& /*run*/) {
    return is_damaged(plan) ? "its tiers are damaged, the file was cut off: plan again" : "";
}

std::string is_of_our_version(const RegistryVariant& plan, const KnownRun& /*run*/) {
    if (plan.pshard.version.value_or(0) == kPshardVersion) return "";
    return "its plans are of another form: plan again";
}

std::string has_the_weights(const RegistryVariant& plan, const KnownRun& run) {
    if (!run.seen || *plan.pshard.weights == weights_hash(run.seen->inventory.weights)) return "";
    return "its plans are for another model";
}

std::string has_the_states(const RegistryVariant& plan, const KnownRun& run) {
    if (!run.seen) return "";
    const Inventory& inventory = run.seen->inventory;
    if (*plan.pshard.states == states_hash(inventory.states)) return "";
    if (*plan.pshard.states == states_hash(main_states(inventory))) return "";
    return fmt::format(
        "its plans are for another context (-c, -np, -kvu, -ctk, -ctv, --swa-full, and with "
        "sliding windows -ub {})",
        plan.pshard.n_ubatch.value_or(0));
}

std::string holds_the_batch(const RegistryVariant& plan, const KnownRun& run) {
    if (!run.seen) return "";
    const std::uint32_t reserved = largest_batch(run.seen->inventory);
    const std::uint32_t n_ubatch = plan.pshard.n_ubatch.value_or(0);
    if (n_ubatch >= reserved) return "";
    return fmt::format("its plans are for -ub {}, this run reserves {} tokens", n_ubatch, reserved);
}

std::string fits_the_budget(const RegistryVariant& plan, const KnownRun& run) {
    if (!run.seen || own_budget(plan) <= run.seen->budget) return "";
    return fmt::format("its plans need a budget of {:.0f} MiB, {:.0f} are left",
                       in_mib(own_budget(plan)),
                       in_mib(run.seen->budget));
}

std::string has_the_budget_alone(const RegistryVariant& plan, const KnownRun& run) {
    if (!run.asked) return "";
    const bool same = plan.budget_mib == run.asked->budget_mib && !plan.pshard.shared;
    return same ? "" : "its plans are for another budget";
}

std::string has_the_cache(const RegistryVariant& plan, const KnownRun& run) {
    if (!run.asked) return "";
    const bool same = plan.pshard.kv_unified == run.asked->kv_unified &&
                      plan.pshard.swa_full == run.asked->swa_full;
    return same ? "" : "its plans are for another cache (-kvu, --swa-full)";
}

// The largest tier is what was asked for, cut to the context.
std::string has_the_ubatch(const RegistryVariant& plan, const KnownRun& run) {
    if (!run.asked) return "";
    const std::uint32_t n_ctx = run.asked->n_ctx;
    std::optional<std::uint32_t> wanted = run.asked->n_ubatch;
    if (wanted && n_ctx > 0) wanted = std::min(*wanted, n_ctx);
    const bool same = plan.pshard.n_ubatch && (!wanted || plan.pshard.n_ubatch == wanted);
    return same ? "" : "its plans are for another -ub";
}

std::string has_the_depth(const RegistryVariant& plan, const KnownRun& run) {
    if (!run.asked || !run.asked->depth) return "";
    const bool same = std::ranges::all_of(plan.tiers, [&](const RegistryTier& tier) {
        return !tier.pshard.depth || *tier.pshard.depth == *run.asked->depth;
    });
    return same ? "" : "its plans are for another --depth";
}

constexpr std::array<Rule, 11> kRules = {says_its_model,
                                         is_whole,
                                         is_of_our_version,
                                         has_the_weights,
                                         has_the_states,
                                         holds_the_batch,
                                         fits_the_budget,
                                         has_the_budget_alone,
                                         has_the_cache,
                                         has_the_ubatch,
                                         has_the_depth};

std::string mismatch(const RegistryVariant& plan, const KnownRun& run) {
    for (const Rule rule : kRules) {
        if (std::string fault = rule(plan, run); !fault.empty()) return fault;
    }
    return "";
}

bool is_named(const FoundPlan& plan, const std::vector<PlanName>& names) {
    return names.empty() || std::ranges::any_of(names, [&](const PlanName& name) {
               return name.section == plan.section->fingerprint &&
                      name.cache_ubatch.value_or(plan.variant->cache_ubatch) ==
                          plan.variant->cache_ubatch;
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

Bytes shared_bytes(const RegistryVariant& variant) {
    return std::min(variant.pshard.shared.value_or(0), variant.budget_mib * kMiB);
}

Bytes own_budget(const RegistryVariant& variant) {
    return variant.budget_mib * kMiB - shared_bytes(variant);
}

FoundPlans find_plans(const Registry& registry, const KnownRun& run) {
    FoundPlans found;
    for (const FoundPlan& plan : named_plans(registry, run.named)) {
        std::string fault = mismatch(*plan.variant, run);
        if (fault.empty()) {
            found.best.push_back(plan);
            continue;
        }
        if (is_damaged(*plan.variant)) found.damaged.push_back(plan);
        found.reason = std::move(fault);
    }
    keep_largest(found.best);
    return found;
}

}  // namespace pshard
