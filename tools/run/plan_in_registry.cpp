// A plan that an earlier run, or the user, has left in the registry.
#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "common/log.h"
#include "planner/registry_form.h"
#include "registry/registry_file.h"
#include "run/goal.h"
#include "run/run_plan.h"

namespace pshard::tool {
namespace {

namespace fs = std::filesystem;

// llama-server's choice for -np -1.
constexpr std::uint32_t kAutoParallel = 4;

// What the planner would make of the flags.
ContextSpec context_of(const ContextOptions& options) {
    ContextSpec context;
    const int slots = options.n_parallel.value_or(1);
    context.n_ctx = options.n_ctx.value_or(0);
    context.n_seq_max = slots < 0 ? kAutoParallel : static_cast<std::uint32_t>(slots);
    context.kv_unified = options.kv_unified.value_or(slots < 0);
    context.swa_full = options.swa_full.value_or(false);
    context.flash_attention = options.flash_attention.value_or(FlashAttention::Auto);
    context.type_k = options.type_k.value_or(context.type_k);
    context.type_v = options.type_v.value_or(context.type_v);
    return context;
}

// What a variant must be to serve the run.
struct Wanted {
    ContextSpec context;
    std::uint64_t budget_mib = 0;
    std::optional<std::uint32_t> tier_max;  // tokens
    std::optional<std::uint32_t> depth;     // tokens
};

// The largest tier is what was asked for, cut to the context.
bool is_ubatch(std::uint32_t n_ubatch, const Wanted& wanted) {
    if (!wanted.tier_max) return true;
    const std::uint32_t n_ctx = wanted.context.n_ctx;
    return n_ubatch == (n_ctx > 0 ? std::min(*wanted.tier_max, n_ctx) : *wanted.tier_max);
}

bool is_depth(const RegistryVariant& variant, const Wanted& wanted) {
    return std::all_of(variant.tiers.begin(), variant.tiers.end(), [&](const RegistryTier& tier) {
        return !wanted.depth || !tier.pshard.depth || *tier.pshard.depth == *wanted.depth;
    });
}

bool serves(const RegistryVariant& variant, const Wanted& wanted) {
    const PshardVariant& pshard = variant.pshard;
    return variant.budget_mib == wanted.budget_mib && !is_damaged(variant) && !pshard.shared &&
           pshard.version == kPshardVersion && pshard.kv_unified == wanted.context.kv_unified &&
           pshard.swa_full == wanted.context.swa_full && pshard.n_ubatch &&
           is_ubatch(*pshard.n_ubatch, wanted) && is_depth(variant, wanted);
}

Wanted wanted_of(const RunOptions& options) {
    const ContextOptions& context = options.plan.context;
    Wanted wanted;
    wanted.context = context_of(context);
    wanted.budget_mib = options.plan.max_vram_mib;
    wanted.tier_max = context.tier_max ? context.tier_max : context.n_ubatch;
    wanted.depth = options.plan.depth;
    return wanted;
}

std::string flash_attention_word(FlashAttention flash_attention) {
    if (flash_attention == FlashAttention::Auto) return "auto";
    return flash_attention == FlashAttention::On ? "on" : "off";
}

// Unless the user has named one: as where the plan is made anew. 0: the registry has no times, or
// its plan holds for its own ubatch alone.
std::uint32_t fastest_ubatch(const RegistryVariant& variant,
                             const ContextSpec& context,
                             const PlanRequest& request) {
    const ContextOptions& given = request.options.plan.context;
    if (given.n_ubatch || variant.pshard.windowed.value_or(true)) return 0;
    std::vector<TierPass> passes;
    for (const RegistryTier& tier : variant.tiers) {
        const double rate = chosen_tps(tier);
        if (rate > 0) passes.push_back({tier.key.n_tokens, tier.key.n_tokens / rate});
    }
    const std::uint32_t sequences = context.kv_unified ? 1 : context.n_seq_max;
    const Workload work = workload_of(request.options.goal, context.n_ctx / sequences);
    return best_ubatch(passes, work.prompt);
}

RunPlan plan_of(const RegistryVariant& variant, const Wanted& wanted, const PlanRequest& request) {
    const ContextSpec& context = wanted.context;
    RunPlan plan;
    plan.registry = registry_of(request.options);
    plan.n_ctx = context.n_ctx;
    plan.n_seq_max = context.n_seq_max;
    plan.kv_unified = context.kv_unified;
    plan.swa_full = context.swa_full;
    plan.flash_attention = flash_attention_word(context.flash_attention);
    plan.type_k = context.type_k;
    plan.type_v = context.type_v;
    plan.n_threads = request.n_threads;
    if (variant.baseline_vram_mib) {
        plan.stock = true;
        plan.why = "the whole model fits into the budget";
        plan.n_batch = request.options.plan.context.n_batch.value_or(0);
        plan.n_ubatch = request.options.plan.context.n_ubatch.value_or(0);
        return plan;
    }
    plan.budget_mib = variant.budget_mib;
    plan.n_ubatch = *variant.pshard.n_ubatch;
    const std::uint32_t best = fastest_ubatch(variant, context, request);
    plan.n_batch = std::max(plan.n_ubatch, request.options.plan.context.n_batch.value_or(0));
    if (best > 0) plan.n_ubatch = best;
    plan.why = fmt::format("plan of {}", plan.registry);
    return plan;
}

// Every run that is matched has a machine with a profile, or none has: a plan by memory alone is
// made anew when there is a profile.
Result<bool> is_for(const RegistryVariant& variant,
                    const std::optional<MachineProfile>& machine,
                    const std::string& registry) {
    const Hash64 here = machine_hash(machine ? &*machine : nullptr);
    const Hash64 found = variant.pshard.machine.value_or(Hash64{});
    if (found == here || !machine) return true;
    if (found == Hash64{}) return false;
    return Error{
        "its plan for these settings was made for another machine, or before this one was "
        "measured anew: --replan puts one for this machine in its place, --registry FILE "
        "leaves it",
        {registry}};
}

// The newest variant that serves.
const RegistryVariant* find_variant(const Registry& registry,
                                    Hash64 fingerprint,
                                    const Wanted& wanted) {
    const RegistrySection* section = find_section(registry, fingerprint);
    if (section == nullptr) return nullptr;
    const RegistryVariant* found = nullptr;
    for (const RegistryVariant& variant : section->variants) {
        if (serves(variant, wanted)) found = &variant;
    }
    return found;
}

}  // namespace

Result<std::optional<RunPlan>> plan_in_registry(const PlanRequest& request) {
    const RunOptions& options = request.options;
    std::optional<RunPlan> none;
    std::error_code code;
    const std::uintmax_t file_bytes = fs::file_size(options.plan.model, code);
    // A registry does not say what its budget was shared with.
    const bool shared = options.plan.reserve_mib > 0 || !options.plan.draft_model.empty();
    const bool asked = !options.replan && options.plan.max_vram_mib > 0 && !shared && !code;
    if (!asked || request.program.kind == ProgramKind::Bench) return none;
    const Wanted wanted = wanted_of(options);
    const Result<SectionSettings> settings =
        section_settings(wanted.context, request.n_threads, options.plan.forced);
    if (!settings) return settings.error();
    const Result<RegistryReading> reading = load_registry(registry_of(options));
    if (!reading) return reading.error();
    for (const Error& warning : reading.value().warnings) log_line("warning: " + warning.text());
    const Hash64 fingerprint = published_fingerprint(settings.value(), Bytes{file_bytes});
    const RegistryVariant* variant = find_variant(reading.value().registry, fingerprint, wanted);
    if (variant == nullptr) return none;
    const auto machine = read_profiles(request.profiles, request.n_threads);
    if (!machine) return machine.error();
    const Result<bool> ours = is_for(*variant, machine.value(), registry_of(options));
    if (!ours) return ours.error();
    if (!ours.value()) return none;
    RunPlan plan = plan_of(*variant, wanted, request);
    if (!plan.stock) {
        plan.fingerprint = fmt::format("{}:{}", to_text(fingerprint), variant->cache_ubatch);
    }
    return std::optional(std::move(plan));
}

}  // namespace pshard::tool
