#include "planner/registry_form.h"

#include <algorithm>

#include "machine/profile_text.h"
#include "ops/cuda_pool.h"
#include "plan/idle_weights.h"
#include "plan/plan_hash.h"
#include "strategy/expand.h"

namespace pshard {
namespace {

// The name of stock's buffer type for host memory on the device; readers put in their own.
std::string host_buffer_type(const DeviceModel& device) {
    if (is_cuda(device)) return "CUDA_Host";
    if (device.name == "vulkan" || device.name.starts_with("Vulkan")) return "Vulkan_Host";
    return device.name + "_Host";
}

std::vector<OverrideItem> overrides_of(const GraphView& view, const PlanChoice& choice) {
    const Inventory& inventory = view.inventory;
    const std::vector<bool> idle = idle_weights(inventory, view.graph);
    std::vector<OverrideItem> items;
    for (const LanePattern& pattern : lane_patterns(inventory, choice, idle)) {
        items.push_back({pattern.pattern, host_buffer_type(inventory.device), pattern.lane.id()});
    }
    return items;
}

std::optional<double> rate_of(const std::optional<Prediction>& prediction) {
    if (!prediction) return std::nullopt;
    return prediction->tokens_per_second;
}

std::string one_word(std::string_view text) {
    std::string word(text);
    std::replace(word.begin(), word.end(), ' ', '_');
    return word;
}

// Sets the published line: the part of a registry that the published reader goes by.
void set_published(const GraphView& view, const Candidate& plan, RegistryTier& tier) {
    tier.viable = true;
    tier.choice = plan.choice;
    tier.tps = rate_of(plan.prediction).value_or(0);
    tier.vram_mib = in_mib(plan.memory.device.total());
    tier.ot = overrides_of(view, plan.choice);
}

// Bytes that the driver takes, as the profile says; nullopt: it does not.
std::optional<Bytes> bytes_of(const Planning& planning, std::optional<double> GpuProfile::*mib) {
    if (planning.profile == nullptr || !planning.profile->gpu) return std::nullopt;
    const std::optional<double> known = *planning.profile->gpu.*mib;
    if (!known) return std::nullopt;
    return static_cast<Bytes>(*known * double(kMiB));
}

class Form {
public:
    explicit Form(const Planning& planning) : planning_(planning) {}

    // The plan of planning.plan.tiers[at].
    RegistryTier tier(std::size_t at, std::size_t index) const {
        const TierPlan& plan = planning_.plan.tiers[at];
        RegistryTier tier;
        tier.index = static_cast<int>(index);
        tier.key = plan.key;
        const Candidate* published = plan.published();
        const Inventory& inventory = planning_.inventory;
        const Graph& graph = *graph_of_tier(inventory, plan.key);
        if (published != nullptr) set_published({inventory, graph}, *published, tier);
        if (plan.winner() == nullptr) return tier;
        tier.pshard = pshard(plan);
        if (at < planning_.stock_fits.size() && planning_.stock_fits[at] && !planning_.forced) {
            tier.pshard.tps_stock = rate_of(planning_.stock_fits[at]->prediction);
        }
        if (plan.winner() != published) {
            tier.pshard.plan = plan.winner()->choice;
            tier.pshard.tps = rate_of(plan.winner()->prediction);
        }
        return tier;
    }

private:
    PshardTier pshard(const TierPlan& plan) const {
        const Candidate& winner = *plan.winner();
        const DeviceUse& use = winner.memory.device;
        PshardTier pshard;
        pshard.depth = planning_.depth_tokens;
        pshard.tps_empty = rate_of(plan.empty);
        pshard.tps_full = rate_of(plan.full);
        if (plan.times.known()) pshard.passes = plan.times.points;
        add_hashes(winner, plan.key, pshard);
        if (winner.options.slice_experts) pshard.slice_experts = true;
        pshard.arena = planning_.plan.arena.budget;
        pshard.pinned = use.weights;
        pshard.states_bytes = use.states;
        pshard.slots = use.slots;
        pshard.scratch = use.scratch;
        pshard.outside = bytes_of(planning_, &GpuProfile::overhead_mib);
        if (winner.prediction) pshard.bound_by = one_word(bound_name(winner.prediction->bound_by));
        return pshard;
    }

    void add_hashes(const Candidate& winner, const TierKey& tier, PshardTier& pshard) const {
        const Inventory& inventory = planning_.inventory;
        const Graph& graph = *graph_of_tier(inventory, tier);
        const std::optional<Graph> part = device_part(inventory, graph);
        if (!part) return;
        pshard.ops = ops_hash(inventory, *part);
        pshard.steps =
            steps_hash(inventory, *part, expand({inventory, graph}, winner.choice), winner.options);
    }

    const Planning& planning_;
};

}  // namespace

Hash64 machine_hash(const MachineProfile* profile) {
    if (profile == nullptr) return Hash64{};
    const ProfileTexts texts = to_text(*profile);
    return text_hash(texts.cpu.value_or("") + '\0' + texts.gpu.value_or(""));
}

RegistryVariant to_registry_variant(const Planning& planning) {
    RegistryVariant variant;
    variant.budget_mib = static_cast<std::uint32_t>((planning.budget.total + kMiB - 1) / kMiB);
    variant.cache_ubatch = planning.plan.cache_ubatch;
    variant.pshard = plan_key(planning.inventory, machine_hash(planning.profile));
    const std::uint32_t n_ubatch = planning.inventory.context.n_ubatch;
    const bool chosen = is_windowed(planning.inventory) && !planning.named_ubatch;
    if (planning.asked_ubatch > n_ubatch || chosen) {
        variant.pshard.asked_ubatch = std::max(planning.asked_ubatch, n_ubatch);
    }
    variant.pshard.flash_attention = planning.inventory.flash_attention;
    if (planning.faster_ubatch > 0) variant.pshard.faster_ubatch = planning.faster_ubatch;
    std::string smaller;
    for (const Hash64 hash : planning.smaller_states)
        smaller += (smaller.empty() ? "" : ",") + to_text(hash);
    if (!smaller.empty()) variant.pshard.smaller_states = smaller;
    const Bytes shared = planning.budget.taken() - planning.budget.pools;
    if (shared > 0) variant.pshard.shared = shared;
    if (planning.budget.pools > 0) variant.pshard.pools = planning.budget.pools;
    variant.pshard.sharers = planning.budget.sharers;
    variant.pshard.unseen = bytes_of(planning, &GpuProfile::overhead_unseen_mib);
    if (planning.plan.baseline_vram) {
        variant.baseline_vram_mib = in_mib(*planning.plan.baseline_vram);
        variant.pshard.outside = bytes_of(planning, &GpuProfile::overhead_mib);  // no tier says it
        return variant;
    }
    const Form form(planning);
    for (std::size_t i = 0; i < planning.plan.tiers.size(); ++i) {
        if (!has_registry_form(planning.plan.tiers[i].key)) continue;
        variant.tiers.push_back(form.tier(i, variant.tiers.size()));
    }
    return variant;
}

}  // namespace pshard
