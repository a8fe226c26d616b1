// Finds the plan that an earlier run, or the user, has left in the registry. Which plan serves a
// run is told by planner/registry_match.h; here it becomes what the program is started with.
#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "common/log.h"
#include "inventory/context_words.h"
#include "plan/tiers.h"
#include "planner/registry_form.h"
#include "planner/registry_match.h"
#include "planning/budget.h"
#include "planning/jobs.h"
#include "planning/model_source.h"
#include "registry/registry_file.h"
#include "run/goal.h"
#include "run/run_plan.h"

namespace pshard::tool {
namespace {

namespace fs = std::filesystem;

// The context that the planner would make of the flags; n_ctx as given, 0 if the model decides.
ContextSpec asked_context(const Options& options) {
    ContextSpec context = context_of(options, {});
    context.n_ctx = options.context.n_ctx.value_or(0);
    return context;
}

Result<AskedRun> asked_run(const Options& options,
                           const ContextSpec& context,
                           std::uint64_t budget_mib) {
    const ContextOptions& given = options.context;
    AskedRun asked;
    const Result<std::optional<Hash64>> sharers = sharers_hash(options);
    if (!sharers) return sharers.error();
    asked.sharers = sharers.value();
    asked.budget_mib = budget_mib;
    asked.kv_unified = context.kv_unified;
    asked.swa_full = context.swa_full;
    asked.n_ctx = context.n_ctx;
    const std::optional<std::uint32_t> largest = largest_given(given);
    if (given.n_ubatch) {
        asked.n_ubatch = largest;
    } else {
        asked.largest = tier_cap({context.n_ctx, context.n_seq_max, 0, largest});
    }
    asked.depth = options.depth;
    return asked;
}

// The request that the plans were weighed by. Older files do not tell the depth: the planner's own.
Workload work_of(const RegistryVariant& variant,
                 const ContextSpec& context,
                 const PlanRequest& request) {
    const std::uint32_t n_ctx = tokens_per_sequence(context);
    Workload work = workload_of(request.options.goal, n_ctx);
    work.sequences = context.n_seq_max;
    work.depth = request.options.plan.depth.value_or(n_ctx / 2);
    for (const RegistryTier& tier : variant.tiers) {
        work.depth = tier.pshard.depth.value_or(work.depth);
    }
    return work;
}

// Tells, as when the plan was made, if another ubatch than the one that the user has named is
// faster.
void tell_of_faster_ubatch(const RegistryVariant& variant,
                           const ContextSpec& context,
                           const Workload& work) {
    const std::uint32_t named = variant.pshard.n_ubatch.value_or(0);
    const std::uint32_t faster = variant.pshard.faster_ubatch.value_or(0);
    auto note = slow_ubatch_note(ubatch_times(times_of(variant, context), work), work, named);
    if (faster > 0) {
        note =
            fmt::format("-ub {} is slower than -ub {}, as reckoned with the plan", named, faster);
    }
    if (note) log_line("note: " + *note);
}

// The ubatch that prompts are fastest in, chosen as for a new plan. 0: the user has named one, of
// which a note tells if it is slow, the registry has no times, or the plan's cache is sized by its
// own ubatch, which was chosen with it.
std::uint32_t fastest_ubatch(const RegistryVariant& variant,
                             const ContextSpec& context,
                             const PlanRequest& request) {
    const Workload work = work_of(variant, context, request);
    if (request.options.plan.context.n_ubatch) {
        tell_of_faster_ubatch(variant, context, work);
        return 0;
    }
    if (variant.pshard.windowed.value_or(true)) return 0;
    return best_ubatch(times_of(variant, context), work);
}

RunPlan plan_of(const FoundPlan& found, const ContextSpec& context, const PlanRequest& request) {
    const RegistryVariant& variant = *found.variant;
    const ContextOptions& given = request.options.plan.context;
    RunPlan plan;
    plan.registry = registry_of(request.options);
    plan.n_ctx = context.n_ctx;
    plan.n_seq_max = context.n_seq_max;
    plan.kv_unified = context.kv_unified;
    plan.swa_full = context.swa_full;
    plan.flash_attention = kFlashAttentionWords[static_cast<std::size_t>(context.flash_attention)];
    if (variant.pshard.flash_attention) {
        plan.flash_attention = *variant.pshard.flash_attention ? "on" : "off";
    }
    plan.type_k = context.type_k;
    plan.type_v = context.type_v;
    plan.n_threads = request.n_threads;
    if (variant.baseline_vram_mib) {
        plan.stock = true;
        plan.why = "the whole model fits into the budget";
        plan.n_batch = given.n_batch.value_or(0);
        plan.n_ubatch = given.n_ubatch.value_or(0);
        return plan;
    }
    plan.budget_mib = variant.budget_mib;
    plan.n_ubatch = *variant.pshard.n_ubatch;
    plan.n_batch = std::max(plan.n_ubatch, given.n_batch.value_or(0));
    const std::uint32_t best = fastest_ubatch(variant, context, request);
    if (best > 0) plan.n_ubatch = best;
    plan.why = fmt::format("plan of {}", plan.registry);
    plan.fingerprint =
        to_text(PlanName{found.section->fingerprint, variant.cache_ubatch, variant.pshard.weights});
    return plan;
}

// Whether a plan is for this machine. A plan for an assumed machine is made anew once there is a
// profile. Fails if the plan was made for another machine.
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

// Fails if the plan that was asked for was changed after it was written: it may be the user's work,
// which this run overwrites with --replan only. (A run with other settings may take its place, as
// that of any plan of the same budget, ubatch and weights.)
Status check_unaltered(const FoundPlans& found, int n_layers, const std::string& registry) {
    for (const auto& [section, variant] : found.damaged) {
        if (has_damaged_tiers(*variant)) continue;
        if (pins_too_much(*variant, n_layers)) {
            return Error{
                fmt::format("its plan for these settings keeps more layers on the GPU than "
                            "the model has, {}: --replan puts a new one in its place",
                            n_layers),
                {registry}};
        }
        if (!variant->altered) continue;
        return Error{fmt::format("its plan for these settings was changed after it was written: "
                                 "--replan puts a new one in its place; delete line {}, its "
                                 "checksum, to run it as it is",
                                 variant->altered->line),
                     {registry}};
    }
    return Done{};
}

// The fingerprint of the section that such a run would write and read. nullopt: no section can
// serve, since the plan is to be made anew, or no budget was named.
Result<std::optional<Hash64>> section_of(const PlanRequest& request, const ContextSpec& context) {
    const Options& plan = request.options.plan;
    std::error_code code;
    const std::uintmax_t file_bytes = fs::file_size(plan.model, code);
    const bool asked = !request.options.replan && plan.max_vram_mib > 0 && !code;
    if (!asked || request.program.kind == ProgramKind::Bench) return std::optional<Hash64>();
    const Result<SectionSettings> settings =
        section_settings(context, request.n_threads, plan.forced);
    if (!settings) return settings.error();
    return std::optional(published_fingerprint(settings.value(), Bytes{file_bytes}));
}

}  // namespace

Result<std::optional<RunPlan>> plan_in_registry(const PlanRequest& request) {
    const std::optional<RunPlan> none;
    ContextSpec context = asked_context(request.options.plan);
    const Result<std::optional<Hash64>> section = section_of(request, context);
    if (!section) return section.error();
    if (!section.value()) return none;
    const Result<ModelFacts> facts = read_facts(request.options.plan.model);
    if (!facts) return facts.error();
    if (context.n_ctx == 0) context.n_ctx = facts.value().n_ctx_train;
    const std::string registry = registry_of(request.options);
    const Result<RegistryReading> reading = load_registry(registry);
    if (!reading) return reading.error();
    for (const Error& warning : reading.value().warnings) log_line("warning: " + warning.text());
    const auto machine = read_profiles(request.profiles, request.n_threads);
    if (!machine) return machine.error();
    const Result<GivenBudget> budget = given_budget(request.options.plan, machine.value());
    if (!budget) return budget.error();
    const auto& [budget_mib, why_lowered] = budget.value();
    Result<AskedRun> asked = asked_run(request.options.plan, context, budget_mib);
    if (!asked) return asked.error();
    asked.value().tensors = facts.value().tensors;
    asked.value().n_layers = facts.value().n_layers;
    const FoundPlans found =
        find_plans(reading.value().registry, {{{*section.value()}}, std::nullopt, asked.value()});
    if (found.best.empty()) {
        const Status unaltered = check_unaltered(found, facts.value().n_layers, registry);
        if (!unaltered) return unaltered.error();
        return none;
    }
    const FoundPlan& newest = found.best.back();
    const Result<bool> ours = is_for(*newest.variant, machine.value(), registry);
    if (!ours) return ours.error();
    if (!ours.value()) return none;
    if (const std::string note = unchecked(*newest.variant); !note.empty()) {
        log_line(fmt::format("note: the plan of {}: {}", registry, note));
    }
    if (!why_lowered.empty()) {
        log_line(fmt::format("note: the budget is lowered to {} MiB: {}", budget_mib, why_lowered));
    }
    return std::optional(plan_of(newest, context, request));
}

}  // namespace pshard::tool
