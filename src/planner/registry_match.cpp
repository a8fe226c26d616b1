#include "planner/registry_match.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "plan/plan_hash.h"
#include "strategy/expand.h"

namespace pshard {
namespace {

std::uint32_t largest_batch(const Inventory& seen) {
    return seen.graphs.empty() ? 0 : seen.graphs.back().n_tokens;
}

// Without those of the layers that draft: they are of a context of their pshard, which a plan
// leaves room for and knows nothing else of.
std::vector<State> main_states(const Inventory& seen) {
    std::set<int> drafting;
    for (const Weight& weight : seen.weights) {
        if (weight.name.find(".nextn.") != std::string::npos) drafting.insert(weight.layer);
    }
    std::vector<State> states = seen.states;
    std::erase_if(states, [&](const State& state) { return drafting.contains(state.layer); });
    return states;
}

// What the variant leaves to a draft model and the like.
Bytes shared_bytes(const RegistryVariant& variant) {
    return std::min(variant.pshard.shared.value_or(0), variant.budget_mib * kMiB);
}

// The rest, which its plans need.
Bytes own_budget(const RegistryVariant& variant) {
    return variant.budget_mib * kMiB - shared_bytes(variant);
}

// Empty: the variant's plans are for this model in this context.
std::string mismatch(const RegistryVariant& variant, const Inventory& seen, Bytes budget) {
    const PshardVariant& pshard = variant.pshard;
    if (!pshard.weights || !pshard.states) return "its plans do not say which model they are for";
    if (is_damaged(variant)) return "its tiers are damaged, the file was cut off: plan again";
    if (pshard.version.value_or(0) != kPshardVersion)
        return "its plans are of another form: plan again";
    if (*pshard.weights != weights_hash(seen.weights)) return "its plans are for another model";
    const bool same_context = *pshard.states == states_hash(seen.states) ||
                              *pshard.states == states_hash(main_states(seen));
    if (!same_context) {
        return fmt::format(
            "its plans are for another context (-c, -np, -kvu, -ctk, -ctv, --swa-full, and with "
            "sliding windows -ub {})",
            pshard.n_ubatch.value_or(0));
    }
    if (pshard.n_ubatch.value_or(0) < largest_batch(seen)) {
        return fmt::format("its plans are for -ub {}, this run reserves {} tokens",
                           pshard.n_ubatch.value_or(0),
                           largest_batch(seen));
    }
    if (own_budget(variant) > budget) {
        return fmt::format("its plans need a budget of {:.0f} MiB, {:.0f} are left",
                           in_mib(own_budget(variant)),
                           in_mib(budget));
    }
    return "";
}

// The graph of the tier, else one that is no smaller, else the largest.
const Graph* sizing_graph(const Inventory& seen, std::uint32_t n_tokens) {
    for (const Graph& graph : seen.graphs) {
        if (graph.n_tokens >= n_tokens) return &graph;
    }
    return seen.graphs.empty() ? nullptr : &seen.graphs.back();
}

const PshardTier& pshard_of(const RegistryVariant& variant, const TierKey& key) {
    const auto tier = std::ranges::find(variant.tiers, key, &RegistryTier::key);
    PSHARD_CHECK(tier != variant.tiers.end());
    return tier->pshard;
}

// Of the plan that is taken, with an empty cache where the file tells.
double rate_of(const RegistryTier& tier) {
    return tier.pshard.tps_empty.value_or(chosen_tps(tier));
}

std::vector<TierChoice> choices_of(const RegistryVariant& variant, const Inventory& seen) {
    std::vector<TierChoice> choices;
    for (const RegistryTier& tier : variant.tiers) {
        const bool planned = tier.viable || tier.pshard.plan.has_value();
        const Graph* graph = sizing_graph(seen, tier.key.n_tokens);
        if (!planned || graph == nullptr) continue;
        TierChoice choice;
        choice.key = tier.key;
        choice.choice = tier.pshard.plan.value_or(tier.choice);
        choice.options.slice_experts = tier.pshard.slice_experts.value_or(false);
        choice.graph = graph;
        choice.scratch = tier.pshard.scratch;
        choice.tokens_per_second = rate_of(tier);
        choices.push_back(choice);
    }
    return choices;
}

// What a driver has taken for one tier it keeps in the next.
std::optional<DriverMemory> driver_of(const RegistryVariant& variant) {
    std::optional<Bytes> most = variant.pshard.outside;
    for (const RegistryTier& tier : variant.tiers) most = std::max(most, tier.pshard.outside);
    if (!most) return std::nullopt;
    return DriverMemory{*most, variant.pshard.unseen.value_or(0)};
}

// Of a graph that llama.cpp has reserved: rows that the head is applied to; 0: it has no head.
std::uint32_t rows_of_logits(const Inventory& seen, const Graph& graph) {
    for (const Node& node : graph.nodes) {
        for (const Ref& source : node.sources) {
            if (source.kind != Ref::Kind::Weight || node.op != "MUL_MAT") continue;
            const Weight& weight = seen.weights[static_cast<std::size_t>(source.index)];
            if (weight.name == "output.weight") return static_cast<std::uint32_t>(node.shape[1]);
        }
    }
    return 0;
}

// A program that sets no cap reserves a row for every token, whatever it asks for later.
std::string other_rows(const PshardVariant& pshard, const Inventory& seen, const Graph& graph) {
    const std::uint32_t rows = rows_of_logits(seen, graph);
    const bool capped = rows < graph.n_tokens;
    if (!pshard.output_rows || !capped || rows <= *pshard.output_rows) return "";
    return fmt::format(
        "the plan keeps {} row{} of logits and this run up to {}: batches that ask "
        "for more than fit may be computed on the CPU; plan with --n-outputs {}",
        *pshard.output_rows,
        *pshard.output_rows == 1 ? "" : "s",
        rows,
        rows);
}

std::string other_graph(const PshardTier& pshard, const Inventory& seen, const TierChoice& choice) {
    const std::optional<Graph> part = device_part(seen, *choice.graph);
    if (!part) return "";
    if (pshard.ops && *pshard.ops != ops_hash(seen, *part)) {
        return fmt::format(
            "the graph of {} tokens is not the one that was planned (another -fa or "
            "-np, --lora, --control-vector, --embedding, backend sampling): answers "
            "are right, speed and memory may not be as predicted",
            to_text(choice.key));
    }
    const Placement placement = expand(seen, choice.choice);
    if (pshard.steps && pshard.steps != steps_hash(seen, *part, placement, choice.options)) {
        return fmt::format(
            "the steps for {} tokens are not those that were planned: answers are "
            "right, speed and memory may not be as predicted; plan again with the "
            "llama-pshard-plan-params of this libggml-pshard.so",
            to_text(choice.key));
    }
    return "";
}

// By the graph of the largest batch: llama.cpp has reserved it, all others may have come as they
// are computed, of fewer sequences or in pieces.
std::vector<std::string> differences(const RegistryVariant& variant,
                                     const Inventory& seen,
                                     const std::vector<TierChoice>& choices) {
    std::vector<std::string> found;
    if (seen.graphs.empty()) return found;
    const Graph& largest = seen.graphs.back();
    found.push_back(other_rows(variant.pshard, seen, largest));
    for (const TierChoice& choice : choices) {
        if (choice.key != largest.tier()) continue;
        found.push_back(other_graph(pshard_of(variant, choice.key), seen, choice));
    }
    std::erase(found, "");
    return found;
}

struct Found {
    const RegistrySection* section = nullptr;
    const RegistryVariant* variant = nullptr;
};

bool is_named(const Found& found, const std::vector<PlanName>& names) {
    return names.empty() || std::ranges::any_of(names, [&](const PlanName& name) {
               return name.section == found.section->fingerprint &&
                      name.cache_ubatch.value_or(found.variant->cache_ubatch) ==
                          found.variant->cache_ubatch;
           });
}

std::vector<Found> variants_of(const Registry& registry, const std::vector<PlanName>& names) {
    std::vector<Found> variants;
    for (const RegistrySection& section : registry.sections) {
        for (const RegistryVariant& variant : section.variants) {
            const Found found{&section, &variant};
            if (is_named(found, names)) variants.push_back(found);
        }
    }
    return variants;
}

// As PSHARD_FINGERPRINT names it, with what a reader tells it from others by.
std::string name_of(const Found& found) {
    std::string name =
        fmt::format("{}:{}", to_text(found.section->fingerprint), found.variant->cache_ubatch);
    if (found.section->settings)
        name += fmt::format(" (-t {})", found.section->settings->n_threads);
    return name;
}

// Of plans that match, those with the largest budget; the newest last.
std::vector<Found> best_of(const std::vector<Found>& matching) {
    std::uint32_t largest = 0;
    for (const Found& found : matching) largest = std::max(largest, found.variant->budget_mib);
    std::vector<Found> best = matching;
    std::erase_if(best, [&](const Found& found) { return found.variant->budget_mib < largest; });
    return best;
}

std::string several_match(const std::vector<Found>& best) {
    if (best.size() < 2) return "";
    std::string names;
    for (const Found& found : best) names += (names.empty() ? "" : ", ") + name_of(found);
    return fmt::format(
        "{} plans for {} MiB match, {}: the newest, which is the last, is taken; "
        "PSHARD_FINGERPRINT=0x...:N takes another, llama-pshard-run sets it",
        best.size(),
        best.back().variant->budget_mib,
        names);
}

// Why no plan is taken. `fault`: of the last that may be.
std::string no_match(const std::string& fault, const std::vector<PlanName>& names) {
    if (names.empty()) return fault.empty() ? "it holds no plan" : fault;
    if (fault.empty()) return "it holds no plan that PSHARD_FINGERPRINT names";
    return fault + "; PSHARD_FINGERPRINT lets no others be taken";
}

bool is_all_resident(const Inventory& seen, const std::vector<TierChoice>& choices) {
    const Placement all = expand(seen, everything_resident(seen.n_layers));
    return std::ranges::all_of(
        choices, [&](const TierChoice& tier) { return expand(seen, tier.choice) == all; });
}

RegistryMatch match_of(const RegistryVariant& variant, const Inventory& seen) {
    RegistryMatch match;
    const Bytes shared = shared_bytes(variant);
    match.budget = own_budget(variant);
    match.planned_for = variant.budget_mib * kMiB;
    match.driver = driver_of(variant);
    match.text = fmt::format("the variant of {} MiB", variant.budget_mib);
    if (shared > 0) {
        match.text +=
            fmt::format(", {:.1f} of which are left to a draft model and the like", in_mib(shared));
    }
    const bool fits = variant.baseline_vram_mib.has_value();
    match.choices = fits ? all_resident_tiers(seen) : choices_of(variant, seen);
    match.all_resident = fits || is_all_resident(seen, match.choices);
    if (!fits) match.warnings = differences(variant, seen, match.choices);
    return match;
}

}  // namespace

RegistryMatch match_registry(const Registry& registry,
                             const Inventory& seen,
                             Bytes budget,
                             const std::vector<PlanName>& named) {
    std::vector<Found> matching;
    std::string reason;
    std::string passed_over;
    for (const Found& found : variants_of(registry, named)) {
        const RegistryVariant& variant = *found.variant;
        const std::string fault = mismatch(variant, seen, budget);
        if (!fault.empty() && is_damaged(variant)) {
            passed_over += fmt::format("; that of {} MiB is damaged and passed over: plan again",
                                       variant.budget_mib);
        }
        if (!fault.empty()) reason = fault;
        if (fault.empty()) matching.push_back(found);
    }
    if (matching.empty()) return {{}, no_match(reason, named)};
    const std::vector<Found> best = best_of(matching);
    RegistryMatch match = match_of(*best.back().variant, seen);
    match.text += passed_over;
    if (best.back().variant->baseline_vram_mib) match.text += ": the whole model fits";
    if (std::string several = several_match(best); !several.empty()) {
        match.warnings.push_back(std::move(several));
    }
    return match;
}

std::string unused_room(const RegistryMatch& match, const DeviceRoom& room) {
    const bool much =
        match.planned_for < room.there / 10 * 9 && match.planned_for + room.spared < room.there;
    if (!much || match.all_resident) return "";
    const std::uint64_t mib = room.there / kMiB;
    return fmt::format(
        "the plan is for {} MiB and {} are there: llama-pshard-plan-params -mva {} makes one that "
        "uses them",
        match.planned_for / kMiB,
        mib,
        mib);
}

}  // namespace pshard
