#include "plugin/registry_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "plan/plan_hash.h"
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

// What the variant leaves to a draft model and the like.
Bytes shared_bytes(const RegistryVariant& variant) {
    return std::min(variant.own.shared.value_or(0), variant.budget_mib * kMiB);
}

// The rest, which its plans need.
Bytes own_budget(const RegistryVariant& variant) {
    return variant.budget_mib * kMiB - shared_bytes(variant);
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
        return fmt::format(
            "its plans are for another context (-c, -np, -kvu, -ctk, -ctv, --swa-full, and with "
            "sliding windows -ub {})",
            own.n_ubatch.value_or(0));
    }
    if (own.n_ubatch.value_or(0) < largest_batch(seen)) {
        return fmt::format("its plans are for -ub {}, this run reserves {} tokens",
                           own.n_ubatch.value_or(0),
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

const OwnTier& own_of(const RegistryVariant& variant, std::uint32_t n_tokens) {
    const auto tier = std::ranges::find(variant.tiers, n_tokens, &RegistryTier::bs);
    PSHARD_CHECK(tier != variant.tiers.end());
    return tier->own;
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

// What a driver has taken for one tier it keeps in the next.
std::optional<DriverMemory> driver_of(const RegistryVariant& variant) {
    std::optional<Bytes> most = variant.own.outside;
    for (const RegistryTier& tier : variant.tiers) most = std::max(most, tier.own.outside);
    if (!most) return std::nullopt;
    return DriverMemory{*most, variant.own.unseen.value_or(0)};
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
std::string other_rows(const OwnVariant& own, const Inventory& seen, const Graph& graph) {
    const std::uint32_t rows = rows_of_logits(seen, graph);
    const bool capped = rows < graph.n_tokens;
    if (!own.output_rows || !capped || rows <= *own.output_rows) return "";
    return fmt::format(
        "the plan keeps {} row{} of logits and this run up to {}: batches that ask "
        "for more than fit may be computed on the CPU; plan with --n-outputs {}",
        *own.output_rows,
        *own.output_rows == 1 ? "" : "s",
        rows,
        rows);
}

std::string other_graph(const OwnTier& own, const Inventory& seen, const TierChoice& choice) {
    const std::optional<Graph> part = device_part(seen, *choice.graph);
    if (!part) return "";
    if (own.ops && *own.ops != ops_hash(seen, *part)) {
        return fmt::format(
            "the graph of {} tokens is not the one that was planned (another -fa or "
            "-np, --lora, --control-vector, --embedding, backend sampling): answers "
            "are right, speed and memory may not be as predicted",
            choice.n_tokens);
    }
    const Placement placement = expand(seen, choice.choice);
    if (own.steps && own.steps != steps_hash(seen, *part, placement, choice.options)) {
        return fmt::format(
            "the steps for {} tokens are not those that were planned: answers are "
            "right, speed and memory may not be as predicted; plan again with the "
            "llama-pshard-plan-params of this libggml-pshard.so",
            choice.n_tokens);
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
    found.push_back(other_rows(variant.own, seen, largest));
    for (const TierChoice& choice : choices) {
        if (choice.n_tokens != largest.n_tokens) continue;
        found.push_back(other_graph(own_of(variant, choice.n_tokens), seen, choice));
    }
    std::erase(found, "");
    return found;
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
    const Bytes shared = shared_bytes(*best);
    match.budget = own_budget(*best);
    match.driver = driver_of(*best);
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
    match.warnings = differences(*best, seen, match.choices);
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
