#include "plugin/registry_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "strategy/expand.h"

namespace pshard {
namespace {

std::uint32_t largest_batch(const Inventory& seen) {
    return seen.graphs.empty() ? 0 : seen.graphs.back().n_tokens;
}

// Without those of the layers that draft: they are of a context of their own, which a plan leaves
// room for and knows nothing else of.
std::vector<State> main_states(const Inventory& seen) {
    std::set<int> drafting;
    for (const Weight& weight : seen.weights) {
        if (weight.name.find(".nextn.") != std::string::npos) drafting.insert(weight.layer);
    }
    std::vector<State> states = seen.states;
    std::erase_if(states, [&](const State& state) { return drafting.contains(state.layer); });
    return states;
}

// Empty: the variant's plans are for this model in this context.
std::string mismatch(const RegistryVariant& variant, const Inventory& seen, Bytes budget) {
    const OwnVariant& own = variant.own;
    if (!own.weights || !own.states) return "its plans do not say which model they are for";
    if (is_damaged(variant)) return "its tiers are damaged, the file was cut off: plan again";
    if (own.version.value_or(0) != kOwnVersion) return "its plans are of another form: plan again";
    if (*own.weights != weights_hash(seen.weights)) return "its plans are for another model";
    const bool same_context =
        *own.states == states_hash(seen.states) || *own.states == states_hash(main_states(seen));
    if (!same_context) {
        return "its plans are for another context (-c, -np, -kvu, -ctk, -ctv, --swa-full)";
    }
    if (own.n_ubatch.value_or(0) < largest_batch(seen)) {
        return fmt::format("its plans are for -ub {}, this run reserves {} tokens",
                           own.n_ubatch.value_or(0),
                           largest_batch(seen));
    }
    if (variant.budget_mib * kMiB > budget) {
        return fmt::format("its plans need a budget of {} MiB, {:.0f} are left",
                           variant.budget_mib,
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

// Of the plan that is taken, with an empty cache where the file tells.
double rate_of(const RegistryTier& tier) { return tier.own.tps_empty.value_or(chosen_tps(tier)); }

std::vector<TierChoice> choices_of(const RegistryVariant& variant, const Inventory& seen) {
    std::vector<TierChoice> choices;
    for (const RegistryTier& tier : variant.tiers) {
        const bool planned = tier.viable || tier.own.plan.has_value();
        const Graph* graph = sizing_graph(seen, tier.bs);
        if (!planned || graph == nullptr) continue;
        TierChoice choice;
        choice.n_tokens = tier.bs;
        choice.choice = tier.own.plan.value_or(tier.choice);
        choice.options.slice_experts = tier.own.slice_experts.value_or(false);
        choice.graph = graph;
        choice.scratch = tier.own.scratch;
        choice.tokens_per_second = rate_of(tier);
        choices.push_back(choice);
    }
    return choices;
}

std::vector<const RegistryVariant*> variants_of(const Registry& registry) {
    std::vector<const RegistryVariant*> variants;
    for (const RegistrySection& section : registry.sections) {
        for (const RegistryVariant& variant : section.variants) variants.push_back(&variant);
    }
    return variants;
}

// The path of a line of /proc/self/maps, which begins with its first slash; an argument as it is.
std::string name_in(const std::string& line, bool is_mapping) {
    return is_mapping ? line.substr(std::min(line.find('/'), line.size())) : line;
}

// Model files that this process has mapped, and those that its command line names: llama.cpp may
// have read and closed its file.
std::vector<std::string> model_files() {
    std::vector<std::string> files;
    const auto read = [&](const char* path, char separator) {
        std::ifstream text(path);
        for (std::string line; std::getline(text, line, separator);) {
            if (line.ends_with(".gguf")) files.push_back(name_in(line, separator == '\n'));
        }
    };
    read("/proc/self/cmdline", '\0');
    read("/proc/self/maps", '\n');
    return files;
}

}  // namespace

RegistryMatch match_registry(const Registry& registry, const Inventory& seen, Bytes budget) {
    const RegistryVariant* best = nullptr;
    std::string reason = "it holds no plan";
    std::string passed_over;
    for (const RegistryVariant* variant : variants_of(registry)) {
        const std::string fault = mismatch(*variant, seen, budget);
        if (!fault.empty() && is_damaged(*variant)) {
            passed_over += fmt::format("; that of {} MiB is damaged and passed over: plan again",
                                       variant->budget_mib);
        }
        const bool larger = best == nullptr || variant->budget_mib >= best->budget_mib;
        if (!fault.empty()) reason = fault;
        if (fault.empty() && larger) best = variant;
    }
    if (best == nullptr) return {{}, reason};
    RegistryMatch match;
    const Bytes total = best->budget_mib * kMiB;
    const Bytes shared = std::min(best->own.shared.value_or(0), total);
    match.budget = total - shared;
    match.text = fmt::format("the variant of {} MiB", best->budget_mib);
    if (shared > 0) {
        match.text +=
            fmt::format(", {:.1f} of which are left to a draft model and the like", in_mib(shared));
    }
    match.text += passed_over;
    if (best->baseline_vram_mib) {
        match.choices = same_in_all_tiers(seen, everything_resident(seen));
        match.text += ": the whole model fits";
        return match;
    }
    match.choices = choices_of(*best, seen);
    return match;
}

std::vector<std::string> find_registries(const std::string& given) {
    if (!given.empty()) return {given};
    std::vector<std::string> found;
    for (const std::string& model : model_files()) {
        std::error_code missing;
        const auto beside =
            std::filesystem::canonical(model + std::string(kRegistrySuffix), missing);
        if (missing || std::ranges::count(found, beside.string()) > 0) continue;
        found.push_back(beside);
    }
    return found;
}

}  // namespace pshard
