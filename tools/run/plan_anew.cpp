// Plans as llama-pshard-plan-params would, and holds the plan against the best that stock can do.
//
// In: the request of a run. Out: what the program is started with, or an exit code. Plans that will
// be run are in the registry then, unless this is a dry run.
//
//   plan_jobs() --> a job has no plan            -> refused
//               --> stock holds every job        -> stock, with the user's batches
//               --> llama-bench                  -> the plans, with the ubatch fastest in all tests
//               --> else: seconds of the goal's prompt and answer, by the plan and by stock's best
//                         flags -> stock if it takes at most 2 % longer, else the plan
//
// A ubatch that the user has named bounds both, so that the faster of two slow ones may be started.
// What is told is stock's best with any ubatch, and if that is faster than what is started.
//
// Traps: the ubatch of a plan may be any tier, unless the model has sliding windows, whose cache is
// sized by it. Stock has all the ubatches to choose from that the plan had before its largest tier
// was chosen. llama-bench has one ubatch for all its tests. A plan that gives way to stock is not
// written. A forced strategy is not compared. A note that several jobs have is told once.
#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "common/log.h"
#include "plan_flags/program.h"
#include "planner/registry_match.h"
#include "planning/plan_model.h"
#include "planning/registry_writing.h"
#include "planning/static_flags.h"
#include "run/run_plan.h"

namespace pshard::tool {
namespace {

// What is planned with.
struct Planner {
    const Options& options;
    const Machine& machine;
    Known& known;
};

// A plan that gains less than this on stock is not worth a backend of its own.
constexpr double kWorthwhile = 1.02;

Result<std::vector<std::string>> planner_command(const PlanRequest& request) {
    Result<std::vector<std::string>> words = planner_arguments(request);
    if (words) words.value().insert(words.value().begin(), planner_of(request.here));
    return words;
}

// The options of the planner's command, as the planner itself reads them.
Result<Options> planner_options(const PlanRequest& request) {
    const Result<std::vector<std::string>> words = planner_command(request);
    if (!words) return words.error();
    std::vector<const char*> argv;
    for (const std::string& word : words.value()) argv.push_back(word.c_str());
    auto read = read_command_line(static_cast<int>(argv.size()), argv.data());
    if (const auto* early = std::get_if<EarlyExit>(&read)) return Error{early->text, {}};
    return std::get<Options>(std::move(read));
}

// The names of the plans for PSHARD_FINGERPRINT. llama-bench has a plan for each context.
std::string fingerprint_of(const std::vector<PlannedJob>& jobs) {
    std::string names;
    for (const auto& [job, planning] : jobs) {
        const PlanName name{planning.fingerprint.value_or(Hash64{}),
                            planning.plan.cache_ubatch,
                            weights_hash(planning.inventory.weights)};
        names += (names.empty() ? "" : ",") + to_text(name);
    }
    return names;
}

// What all plans of a run have in common, and the largest ubatch of them.
RunPlan plan_of(const std::vector<PlannedJob>& jobs, const PlanRequest& request) {
    const Planning& first = jobs.front().planning;
    const ContextSpec& context = first.inventory.context;
    RunPlan plan;
    plan.n_ctx = request.program.kind == ProgramKind::Bench ? 0 : context.n_ctx;
    for (const PlannedJob& each : jobs) {
        plan.n_ubatch = std::max(plan.n_ubatch, each.planning.inventory.context.n_ubatch);
    }
    plan.n_seq_max = context.n_seq_max;
    plan.kv_unified = context.kv_unified;
    plan.swa_full = context.swa_full;
    plan.flash_attention = first.inventory.flash_attention ? "on" : "off";
    plan.type_k = context.type_k;
    plan.type_v = context.type_v;
    plan.n_threads = request.n_threads;
    plan.n_batch = std::max(plan.n_ubatch, request.options.plan.context.n_batch.value_or(0));
    plan.budget_mib = (first.budget.total + kMiB - 1) / kMiB;
    plan.registry = registry_of(request.options);
    plan.fingerprint = fingerprint_of(jobs);
    plan.why = fmt::format("planned for {} MiB", plan.budget_mib);
    return plan;
}

void leave_batches_to_stock(const PlanRequest& request, RunPlan& plan) {
    plan.stock = true;
    plan.budget_mib = 0;
    plan.fingerprint.clear();
    plan.n_batch = request.options.plan.context.n_batch.value_or(0);
    plan.n_ubatch = request.options.plan.context.n_ubatch.value_or(0);
}

// The seconds of all jobs in batches of `n_ubatch`; infinite: one of them has no time for it.
Result<Seconds> seconds_of(const Options& options,
                           const std::vector<PlannedJob>& jobs,
                           std::uint32_t n_ubatch) {
    Seconds all = 0;
    for (const PlannedJob& job : jobs) {
        const ContextSpec& context = job.planning.inventory.context;
        const Result<Workload> work = workload_of(options, context);
        if (!work) return work.error();
        all += planned_seconds(
                   times_of(job.planning), work.value(), std::min(n_ubatch, context.n_ubatch))
                   .value_or(std::numeric_limits<Seconds>::infinity());
    }
    return all;
}

// Chooses the ubatch that the prompts of all jobs are fastest in, unless the user has named one or
// the plan holds for its own ubatch alone.
Status choose_ubatch(const PlanRequest& request,
                     const Options& options,
                     const std::vector<PlannedJob>& jobs,
                     RunPlan& plan) {
    const bool grows = std::ranges::any_of(
        jobs, [](const PlannedJob& job) { return is_windowed(job.planning.inventory); });
    if (request.options.plan.context.n_ubatch || grows) return Done{};
    Seconds least = std::numeric_limits<Seconds>::infinity();
    for (const PlannedJob& job : jobs) {
        for (const TierPlan& tier : job.planning.plan.tiers) {
            const Result<Seconds> seconds = seconds_of(options, jobs, tier.key.n_tokens);
            if (!seconds) return seconds.error();
            if (seconds.value() >= least) continue;
            least = seconds.value();
            plan.n_ubatch = tier.key.n_tokens;
        }
    }
    return Done{};
}

// The best that stock llama.cpp can do alone.
struct StockBest {
    StaticFlags flags;
    Seconds seconds = 0;

    [[nodiscard]] std::uint32_t n_ubatch() const { return flags.found.plan.n_ubatch; }
};

// With any ubatch that the options allow; nullopt: it cannot run the model at all, or its time is
// not known.
std::optional<StockBest> best_of_stock(const Options& options,
                                       const Planner& with,
                                       const Workload& work) {
    const Result<std::vector<Job>> jobs = jobs_of_model(options);
    if (!jobs) return std::nullopt;
    auto answer = find_static_flags(options, with.machine, jobs.value().front(), work, with.known);
    if (!answer || !std::holds_alternative<StaticFlags>(answer.value())) return std::nullopt;
    StaticFlags& flags = std::get<StaticFlags>(answer.value());
    const std::optional<Seconds> seconds = flags.found.plan.seconds(work);
    if (!seconds) return std::nullopt;
    return StockBest{std::move(flags), *seconds};
}

void start_stock(const PlanRequest& request, const StockBest& stock, RunPlan& plan) {
    leave_batches_to_stock(request, plan);
    plan.n_batch = stock.flags.n_batch;
    plan.n_ubatch = stock.n_ubatch();
    const StaticPlan& found = stock.flags.found.plan;
    plan.placement =
        StockPlacement{found.args.n_gpu_layers, found.args.cpu_patterns, found.op_offload};
}

// Where the user has named a ubatch: what stock does within it, and a note if another one is faster
// in stock than what is started.
void tell_of_named(const StockBest& best,
                   const std::optional<StockBest>& within,
                   Seconds started,
                   RunPlan& plan) {
    if (within && within->n_ubatch() == best.n_ubatch()) return;
    plan.why += fmt::format(" with -ub {}", best.n_ubatch());
    if (within) {
        plan.why +=
            fmt::format(" ({} with -ub {})", seconds_text(within->seconds), within->n_ubatch());
    }
    if (best.seconds >= started) return;
    log_line(
        fmt::format("note: stock llama.cpp alone is faster with -ub {} ({}) than what is started "
                    "with the -ub that was given ({})",
                    best.n_ubatch(),
                    seconds_text(best.seconds),
                    seconds_text(started)));
}

// Puts the best that stock llama.cpp can do alone, within the ubatch that the user has named, in
// the plan's place if that takes at most 2 % longer. If stock cannot run the model at all, or its
// time is not known, the plan stays.
Status compare_with_stock(const PlanRequest& request,
                          const Planner& with,
                          const PlannedJob& planned,
                          RunPlan& plan) {
    const Planning& planning = planned.planning;
    const Result<Workload> work = workload_of(with.options, planning.inventory.context);
    if (!work) return work.error();
    const auto ours = planned_seconds(times_of(planning), work.value(), plan.n_ubatch);
    if (!ours || with.options.forced) return Done{};
    const bool is_named = with.options.context.n_ubatch.has_value();
    const auto within = best_of_stock(with.options, with, work.value());
    const auto best =
        is_named ? best_of_stock(with_any_ubatch(with.options), with, work.value()) : within;
    if (!best) return Done{};
    plan.why = fmt::format(
        "{} prompt and {} answer tokens take {} by the plan, {} by the best that stock "
        "llama.cpp can do alone",
        work.value().prompt,
        work.value().answer,
        seconds_text(*ours),
        seconds_text(best->seconds));
    const bool starts_stock = within && within->seconds <= *ours * kWorthwhile;
    tell_of_named(*best, within, starts_stock ? within->seconds : *ours, plan);
    if (!starts_stock) return Done{};
    plan.stock_is_faster = within->seconds * kWorthwhile < *ours;
    start_stock(request, *within, plan);
    return Done{};
}

// Writes the plans into the registry that they will be read from. A dry run keeps the command that
// would write them.
Status keep(const PlanRequest& request, std::vector<PlannedJob>& jobs, RunPlan& plan) {
    if (request.options.dry_run) {
        Result<std::vector<std::string>> command = planner_command(request);
        if (!command) return command.error();
        plan.planning = std::move(command).value();
        return Done{};
    }
    for (PlannedJob& job : jobs) {
        add_stock_fits(job.planning);
        if (Status written = write_plan(plan.registry, job); !written) return written;
    }
    return Done{};
}

RunDecision refused(const std::string& reason) {
    log_line("refused: " + reason);
    return {kDeclined, {}};
}

// Notes each section, and tells once what the user should know.
Status note_all(std::vector<PlannedJob>& jobs) {
    std::vector<std::string> told;
    for (PlannedJob& job : jobs) {
        if (Status noted = note_section(job); !noted) return noted;
        for (const std::string& note : job.planning.notes) {
            if (std::ranges::count(told, note) == 0) log_line("note: " + told.emplace_back(note));
        }
    }
    return Done{};
}

bool stock_holds(const PlannedJob& job) { return job.planning.plan.baseline_vram.has_value(); }

bool has_plan(const PlannedJob& job) { return is_viable(job.planning); }

Result<RunDecision> decide(const PlanRequest& request,
                           const Planner& with,
                           std::vector<PlannedJob>& jobs) {
    if (Status noted = note_all(jobs); !noted) return noted.error();
    if (!std::ranges::all_of(jobs, has_plan)) return refused(kNothingViable);
    RunPlan plan = plan_of(jobs, request);
    if (std::ranges::all_of(jobs, stock_holds)) {
        leave_batches_to_stock(request, plan);
        plan.why = "the whole model fits into the budget";
        return RunDecision{0, std::move(plan)};
    }
    if (Status chosen = choose_ubatch(request, with.options, jobs, plan); !chosen)
        return chosen.error();
    if (request.program.kind != ProgramKind::Bench) {
        const Status compared = compare_with_stock(request, with, jobs.front(), plan);
        if (!compared) return compared.error();
    }
    if (plan.stock) return RunDecision{0, std::move(plan)};
    if (Status kept = keep(request, jobs, plan); !kept) return kept.error();
    return RunDecision{0, std::move(plan)};
}

}  // namespace

Result<RunDecision> plan_anew(const PlanRequest& request) {
    const Result<Options> options = planner_options(request);
    if (!options) return options.error();
    const Result<Machine> machine = load_machine(options.value(), PlannedFor::ThisMachine);
    if (!machine) return machine.error();
    Known known;
    Result<Planned> planned = plan_jobs(options.value(), machine.value(), known);
    if (!planned) return planned.error();
    if (const auto* refusal = std::get_if<Refusal>(&planned.value())) {
        for (const std::string& note : machine.value().notes) log_line("note: " + note);
        return refused(refusal->reason);
    }
    auto& jobs = std::get<std::vector<PlannedJob>>(planned.value());
    return decide(request, {options.value(), machine.value(), known}, jobs);
}

std::string planner_of(const Surroundings& here) {
    return here.folder + "/llama-pshard-plan-params";
}

std::string registry_of(const RunOptions& options) {
    if (!options.plan.registry.empty()) return options.plan.registry;
    return registry_beside(options.plan.model);
}

}  // namespace pshard::tool
