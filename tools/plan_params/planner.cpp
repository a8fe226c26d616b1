#include "plan_params/planner.h"

#include <algorithm>
#include <filesystem>
#include <variant>

#include <fmt/format.h>

#include "common/log.h"
#include "plan_params/budget.h"
#include "plan_params/jobs.h"
#include "plan_params/machine.h"
#include "plan_params/model_source.h"
#include "plan_params/static_args.h"
#include "registry/registry_file.h"
#include "report/registry_form.h"
#include "report/report.h"

namespace pshard::tool {
namespace {

std::string registry_path(const Options& options) {
    if (options.no_registry) return "";
    if (!options.registry.empty()) return options.registry;
    return options.model.empty() ? "" : options.model + std::string(kRegistrySuffix);
}

// Why no registry is written where none was refused.
std::optional<std::string> registry_note(const Options& options) {
    const bool expected = !options.no_registry && !options.emit_args;
    if (!expected || !registry_path(options).empty()) return std::nullopt;
    return "no registry is written, since no model is named: give -m MODEL or --registry FILE";
}

Result<RegistrySection> section_of(const PlanReport& report, std::uint32_t n_ctx_given) {
    ContextSpec context = report.inventory.context;
    context.n_ctx = n_ctx_given;
    const Result<SectionSettings> settings =
        section_settings(context, report.n_threads, report.forced);
    if (!settings) return settings.error();
    return make_section(settings.value(), report.inventory.file_bytes);
}

constexpr std::size_t kMostWarnings = 8;

// What is malformed in a registry, and was kept.
void log_warnings(const std::vector<Error>& faults) {
    const std::size_t n_shown = std::min(faults.size(), kMostWarnings);
    for (std::size_t i = 0; i < n_shown; ++i) {
        log_line("warning: " + faults[i].text() + "; it is kept as it is");
    }
    if (n_shown < faults.size()) {
        log_line(fmt::format("warning: and {} more of this registry", faults.size() - n_shown));
    }
}

Status save_plan(const std::string& path, const RegistrySection& own) {
    const SlowNotice notice(
        fmt::format("waiting to write {}, which another process is writing", path));
    const Result<std::vector<Error>> faults = update_registry(path, own);
    if (!faults) return faults.error();
    log_warnings(faults.value());
    return Done{};
}

// A saved inventory holds a context: what the flags say must be the same.
Result<Job> job_of_inventory(const Options& options, const Inventory& inventory) {
    Job job{inventory.context, options.context.n_ctx.value_or(inventory.context.n_ctx), {}};
    ContextSpec asked = context_of(options.context, inventory.context);
    if (job.n_ctx_given != 0) asked.n_ctx = job.n_ctx_given;
    if (asked != inventory.context || options.context.tier_max) {
        return Error{
            "the inventory was captured for another context than the flags ask for; leave "
            "them away, or capture it anew with -m and --save-inventory",
            {options.inventory}};
    }
    return job;
}

class Planner {
public:
    Planner(const Options& options, const Machine& machine)
        : options_(options), machine_(machine) {}

    // One sentence if nothing can be planned; else the report is added to reports().
    Result<std::optional<Refusal>> add(Inventory inventory, const Job& job) {
        Result<std::variant<BudgetUse, Refusal>> budget =
            budget_use(options_, machine_, inventory.context);
        if (!budget) return budget.error();
        if (const Refusal* refusal = std::get_if<Refusal>(&budget.value()))
            return std::optional(*refusal);
        PlanReport report;
        report.model_path = options_.model.empty() ? options_.inventory : options_.model;
        report.inventory = std::move(inventory);
        report.budget = std::get<BudgetUse>(budget.value());
        report.profile = machine_.pricing();
        report.host = host_limits(options_, machine_);
        report.depth_tokens =
            options_.depth.value_or(tokens_per_sequence(report.inventory.context) / 2);
        report.n_threads = machine_.n_threads;
        report.forced = options_.forced;
        report.notes = machine_.notes;
        if (Status planned = search(report, job); !planned) return planned.error();
        reports_.push_back(std::move(report));
        return std::optional<Refusal>();
    }

    std::vector<PlanReport>& reports() { return reports_; }

private:
    Status search(PlanReport& report, const Job& job) const {
        if (report.depth_tokens > report.inventory.context.n_ctx) {
            return Error{fmt::format("--depth {} is beyond the context of {} tokens",
                                     report.depth_tokens,
                                     report.inventory.context.n_ctx),
                         {}};
        }
        report.plan.budget = report.budget.total - report.budget.taken();
        report.plan = planned(report);
        const Result<RegistrySection> section = section_of(report, job.n_ctx_given);
        if (!section) return section.error();
        report.fingerprint = section.value().fingerprint;
        if (const std::string path = registry_path(options_); !path.empty() && is_viable(report)) {
            report.registry_path = path;
            RegistrySection own = section.value();
            own.variants.push_back(to_registry_variant(report));
            return save_plan(path, own);
        }
        return Done{};
    }

    static VariantPlan planned(const PlanReport& report) {
        const SlowNotice notice("planning");
        return plan_variant(problem_of(report));
    }

    const Options& options_;
    const Machine& machine_;
    std::vector<PlanReport> reports_;
};

std::string text_of(const std::vector<PlanReport>& reports, const Options& options) {
    switch (options.format) {
        case OutputFormat::Json:
            return to_json(reports);
        case OutputFormat::JsonLines:
            return to_json_lines(reports);
        case OutputFormat::Csv:
            return to_csv(reports);
        case OutputFormat::Markdown:
            break;
    }
    std::string text;
    for (const PlanReport& report : reports) {
        if (!text.empty()) text += '\n';
        text += to_markdown(report);
        if (options.explain) text += fmt::format("\n{}", explain(report));
    }
    return text;
}

Outcome outcome_of(const std::vector<PlanReport>& reports, const Options& options) {
    Outcome outcome{kPlanned, text_of(reports, options), "", ""};
    for (const PlanReport& report : reports) {
        if (!report.registry_path.empty()) outcome.registry = report.registry_path;
    }
    if (!std::all_of(reports.begin(), reports.end(), is_viable)) {
        outcome.exit_code = kDeclined;
        outcome.refusal = "no tier has a plan at this budget; nothing was written for it";
    }
    return outcome;
}

Outcome declined(const Refusal& refusal) { return {kDeclined, "", refusal.reason, ""}; }

// A model that lies beside its saved inventory must be the one that the inventory is of. One that
// is not on this machine gives the registry its name only.
Status check_same_model(const Options& options, const Inventory& inventory) {
    std::error_code absent;
    const std::uintmax_t bytes = std::filesystem::file_size(options.model, absent);
    if (absent || bytes == inventory.file_bytes) return Done{};
    return Error{fmt::format("has {} bytes, the model of {} has {}: it is another model",
                             bytes,
                             options.inventory,
                             inventory.file_bytes),
                 {options.model}};
}

// Where --save-inventory asks for it.
Status save_inventory(const Options& options, const Inventory& inventory) {
    if (options.save_inventory.empty()) return Done{};
    return write_inventory(options.save_inventory, inventory);
}

Result<Outcome> plan_saved(const Options& options, const Machine& machine) {
    Result<Inventory> inventory = read_inventory(options.inventory);
    if (!inventory) return inventory.error();
    if (const Status same = check_same_model(options, inventory.value()); !same) {
        return same.error();
    }
    const Result<Job> job = job_of_inventory(options, inventory.value());
    if (!job) return job.error();
    if (const Status saved = save_inventory(options, inventory.value()); !saved) {
        return saved.error();
    }
    Planner planner(options, machine);
    const auto refusal = planner.add(std::move(inventory).value(), job.value());
    if (!refusal) return refusal.error();
    if (refusal.value()) return declined(*refusal.value());
    return outcome_of(planner.reports(), options);
}

Result<Outcome> plan_model(const Options& options, const Machine& machine) {
    const Result<ModelFacts> facts = read_facts(options.model);
    if (!facts) return facts.error();
    const Result<std::vector<Job>> jobs = make_jobs(options, facts.value().n_ctx_train);
    if (!jobs) return jobs.error();
    if (options.emit_args) return plan_static(options, machine, jobs.value().front());
    Planner planner(options, machine);
    for (const Job& job : jobs.value()) {
        Result<Inventory> inventory =
            capture_in_child({options.model, job.context, job.tiers, options.device, options.mtp});
        if (!inventory) return inventory.error();
        if (const Status saved = save_inventory(options, inventory.value()); !saved) {
            return saved.error();
        }
        const auto refusal = planner.add(std::move(inventory).value(), job);
        if (!refusal) return refusal.error();
        if (refusal.value()) return declined(*refusal.value());
    }
    return outcome_of(planner.reports(), options);
}

}  // namespace

Result<Outcome> plan(const Options& options) {
    Result<Machine> machine = load_machine(options);
    if (!machine) return machine.error();
    std::vector<std::string>& notes = machine.value().notes;
    if (auto note = budget_note(options, machine.value())) notes.push_back(std::move(*note));
    if (auto note = registry_note(options)) notes.push_back(std::move(*note));
    Result<Outcome> outcome = options.inventory.empty() ? plan_model(options, machine.value())
                                                        : plan_saved(options, machine.value());
    // An error stands alone.
    for (const std::string& note : notes) {
        if (outcome) log_line("note: " + note);
    }
    return outcome;
}

}  // namespace pshard::tool
