// Turns the plan that a registry has for a model into what the device runs.
//
// In: a registry, and the inventory and the bytes that the device sees. Out: choices with the
// graphs that size them, and warnings where the run differs from the plan.
//
//   find_plans() --> none           the reason, for the user
//        | newest of the best
//        v
//   stock held everything when it was planned?  -> everything resident, in all tiers
//   else, for each tier                         -> its choice, and the graph that sizes it
//
// Then the largest graph, which llama.cpp has reserved as it will run it, is held against the plan:
// by rows of logits, by the ops and by the steps (plan/plan_hash.h). A difference is a warning.
//
// Traps: the published line of a tier may hold another plan than the one that was chosen; the
// pshard line has the chosen one. Smaller graphs than the largest say nothing about the run: they
// may be pieces. Of several plans that match, the newest is taken, and the user is told.
#include "planner/registered_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/counted.h"
#include "plan/plan_hash.h"
#include "planner/checked_batch.h"
#include "strategy/expand.h"

namespace pshard {
namespace {

// The smallest graph that holds the tier's tokens, else the largest of all.
const Graph* sizing_graph(const Inventory& inventory, std::uint32_t n_tokens) {
    for (const Graph& graph : inventory.graphs) {
        if (graph.n_tokens >= n_tokens) return &graph;
    }
    return inventory.graphs.empty() ? nullptr : &inventory.graphs.back();
}

const PshardTier& pshard_of(const RegistryVariant& variant, const TierKey& key) {
    const auto tier = std::ranges::find(variant.tiers, key, &RegistryTier::key);
    PSHARD_CHECK(tier != variant.tiers.end());
    return tier->pshard;
}

// The rate of a tier's plan: with an empty cache if the file tells it, else at the plan's depth.
double rate_of(const RegistryTier& tier) {
    return tier.pshard.tps_empty.value_or(chosen_tps(tier));
}

std::vector<TierChoice> choices_of(const RegistryVariant& variant, const Inventory& inventory) {
    std::vector<TierChoice> choices;
    for (const RegistryTier& tier : variant.tiers) {
        const bool planned = tier.viable || tier.pshard.plan.has_value();
        const Graph* graph = sizing_graph(inventory, tier.key.n_tokens);
        if (!planned || graph == nullptr) continue;
        TierChoice choice;
        choice.key = tier.key;
        choice.choice = tier.pshard.plan.value_or(tier.choice);
        choice.options.slice_experts = tier.pshard.slice_experts.value_or(false);
        choice.graph = graph;
        choice.scratch = tier.pshard.scratch;
        choice.tokens_per_second = rate_of(tier);
        choice.tokens_per_second_full = tier.pshard.tps_full.value_or(0);
        const double own = chosen_tps(tier);
        if (own > 0) choice.stock_speed = tier.pshard.tps_stock.value_or(0) / own;
        choices.push_back(choice);
    }
    return choices;
}

// The driver's memory is the most of all tiers: what a driver took for one tier, it keeps in the
// next.
std::optional<DriverMemory> driver_of(const RegistryVariant& variant) {
    std::optional<Bytes> most = variant.pshard.outside;
    for (const RegistryTier& tier : variant.tiers) most = std::max(most, tier.pshard.outside);
    if (!most) return std::nullopt;
    return DriverMemory{*most, variant.pshard.unseen.value_or(0)};
}

// Warns if the run reserves other rows of logits than were planned. A program that sets no cap
// reserves a row for every token, whatever it asks for later.
std::string other_rows(const PshardVariant& pshard,
                       const Inventory& inventory,
                       const Graph& graph) {
    const std::uint32_t rows = rows_of_logits(inventory, graph);
    const bool capped = rows < graph.n_tokens;
    if (!pshard.output_rows || !capped || rows <= *pshard.output_rows) return "";
    return fmt::format(
        "the plan keeps {} of logits and this run up to {}: batches that ask "
        "for more than fit may be computed on the CPU; plan with --n-outputs {}",
        counted(*pshard.output_rows, "row"),
        rows,
        rows);
}

std::string other_graph(const PshardTier& pshard,
                        const Inventory& inventory,
                        const TierChoice& choice) {
    const std::optional<Graph> part = device_part(inventory, *choice.graph);
    if (!part) return "";
    if (pshard.ops && *pshard.ops != ops_hash(inventory, *part)) {
        return fmt::format(
            "the graph of {} is not the one that was planned (another -fa or "
            "-np, --lora, --control-vector, --embedding, backend sampling): answers "
            "are right, speed and memory may not be as predicted",
            counted(to_text(choice.key), "token"));
    }
    const Placement placement = expand({inventory, *choice.graph}, choice.choice);
    if (pshard.steps && pshard.steps != steps_hash(inventory, *part, placement, choice.options)) {
        return fmt::format(
            "the steps for {} are not those that were planned: answers are "
            "right, speed and memory may not be as predicted; plan again with the "
            "llama-pshard-plan-params of this libggml-pshard.so",
            counted(to_text(choice.key), "token"));
    }
    return "";
}

// How the run differs from what was planned, by the graph of the largest batch: llama.cpp has
// reserved that one; all others may have come as they are computed, of fewer sequences or in
// pieces.
std::vector<std::string> differences(const RegistryVariant& variant,
                                     const Inventory& inventory,
                                     const std::vector<TierChoice>& choices) {
    std::vector<std::string> found;
    if (inventory.graphs.empty()) return found;
    const Graph& largest = inventory.graphs.back();
    found.push_back(other_rows(variant.pshard, inventory, largest));
    for (const TierChoice& choice : choices) {
        if (choice.key != largest.tier()) continue;
        found.push_back(other_graph(pshard_of(variant, choice.key), inventory, choice));
    }
    std::erase(found, "");
    return found;
}

// The plan as PSHARD_FINGERPRINT names it, and what a reader tells it from others by.
std::string name_of(const FoundPlan& found) {
    std::string name = to_text(PlanName{found.section->fingerprint, found.variant->cache_ubatch});
    if (found.section->settings)
        name += fmt::format(" (-t {})", found.section->settings->n_threads);
    return name;
}

std::string several_match(const std::vector<FoundPlan>& best) {
    if (best.size() < 2) return "";
    std::string names;
    for (const FoundPlan& found : best) names += (names.empty() ? "" : ", ") + name_of(found);
    return fmt::format(
        "{} plans for {} MiB match, {}: the newest, which is the last, is taken; "
        "PSHARD_FINGERPRINT=0x...:N takes another, llama-pshard-run sets it",
        best.size(),
        best.back().variant->budget_mib,
        names);
}

// Why no plan is taken. `fault`: why the last one that was looked at is not.
std::string no_match(const std::string& fault, const std::vector<PlanName>& names) {
    if (names.empty()) return fault.empty() ? "it holds no plan" : fault;
    if (fault.empty()) return "it holds no plan that PSHARD_FINGERPRINT names";
    return fault + "; PSHARD_FINGERPRINT lets no others be taken";
}

bool is_all_resident(const Inventory& inventory, const std::vector<TierChoice>& choices) {
    const PlanChoice all = everything_resident(inventory.n_layers);
    return std::ranges::all_of(choices, [&](const TierChoice& tier) {
        const GraphView view{inventory, *tier.graph};
        return expand(view, tier.choice) == expand(view, all);
    });
}

RegistryMatch match_of(const RegistryVariant& variant, const Inventory& inventory) {
    RegistryMatch match;
    const Bytes shared = shared_bytes(variant);
    match.budget = own_budget(variant);
    match.planned_for = variant.budget_mib * kMiB - pool_bytes(variant);
    match.driver = driver_of(variant);
    match.text = fmt::format("the variant of {} MiB", variant.budget_mib);
    if (shared > 0) {
        match.text +=
            fmt::format(", {:.1f} of which are left to a draft model and the like", in_mib(shared));
    }
    const bool fits = variant.baseline_vram_mib.has_value();
    match.choices = fits ? all_resident_tiers(inventory) : choices_of(variant, inventory);
    match.all_resident = fits || is_all_resident(inventory, match.choices);
    if (!fits) match.warnings = differences(variant, inventory, match.choices);
    return match;
}

}  // namespace

RegistryMatch match_registry(const Registry& registry,
                             const Inventory& inventory,
                             Bytes budget,
                             const std::vector<PlanName>& named) {
    const FoundPlans found =
        find_plans(registry, {named, SeenRun{inventory, budget}, std::nullopt});
    if (found.best.empty()) return {{}, no_match(found.reason, named)};
    const RegistryVariant& newest = *found.best.back().variant;
    RegistryMatch match = match_of(newest, inventory);
    if (const std::string note = unchecked(newest); !note.empty()) match.text += "; " + note;
    for (const FoundPlan& damaged : found.damaged) {
        match.text += fmt::format("; that of {} MiB is damaged and passed over: plan again",
                                  damaged.variant->budget_mib);
    }
    if (newest.baseline_vram_mib) match.text += ": the whole model fits";
    if (std::string several = several_match(found.best); !several.empty()) {
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
