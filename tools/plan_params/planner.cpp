#include "plan_params/planner.h"

#include <algorithm>
#include <variant>

#include <fmt/format.h>

#include "common/log.h"
#include "plan_params/static_args.h"
#include "planner/registry_form.h"
#include "planning/machine.h"
#include "planning/plan_model.h"
#include "registry/registry_file.h"
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

Result<RegistrySection> section_of(const Planning& planning, std::uint32_t n_ctx_given) {
    ContextSpec context = planning.inventory.context;
    context.n_ctx = n_ctx_given;
    const Result<SectionSettings> settings =
        section_settings(context, planning.n_threads, planning.forced);
    if (!settings) return settings.error();
    return make_section(settings.value(), planning.inventory.file_bytes);
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
    if (!faults) {
        return Error{faults.error().message +
                         "; --registry FILE keeps the plan elsewhere, where "
                         "PSHARD_REGISTRY=FILE tells a run to look",
                     faults.error().place};
    }
    log_warnings(faults.value());
    return Done{};
}

// Its section's fingerprint, and the plan in the registry where one is to be written.
Status settle(const Options& options, PlannedJob& planned) {
    Planning& planning = planned.planning;
    Result<RegistrySection> section = section_of(planning, planned.job.n_ctx_given);
    if (!section) return section.error();
    planning.fingerprint = section.value().fingerprint;
    const std::string path = registry_path(options);
    if (path.empty() || !is_viable(planning)) return Done{};
    planning.registry_path = path;
    section.value().variants.push_back(to_registry_variant(planning));
    return save_plan(path, section.value());
}

std::string text_of(const std::vector<Planning>& plannings, const Options& options) {
    switch (options.format) {
        case OutputFormat::Json:
            return to_json(plannings);
        case OutputFormat::JsonLines:
            return to_json_lines(plannings);
        case OutputFormat::Csv:
            return to_csv(plannings);
        case OutputFormat::Markdown:
            break;
    }
    std::string text;
    for (const Planning& planning : plannings) {
        if (!text.empty()) text += '\n';
        text += to_markdown(planning);
        if (options.explain) text += fmt::format("\n{}", explain(planning));
    }
    return text;
}

// Leaves each note to the first plan that has it. All of them.
std::vector<std::string> take_repeated_notes(std::vector<Planning>& plannings) {
    std::vector<std::string> all;
    for (Planning& planning : plannings) {
        std::erase_if(planning.notes, [&](const std::string& note) {
            return std::find(all.begin(), all.end(), note) != all.end();
        });
        all.insert(all.end(), planning.notes.begin(), planning.notes.end());
    }
    return all;
}

Outcome outcome_of(std::vector<Planning> plannings, const Options& options) {
    Outcome outcome;
    if (options.format == OutputFormat::Markdown) {  // a table has them at its head
        take_repeated_notes(plannings);
        outcome.text = text_of(plannings, options);
    } else {
        outcome.text = text_of(plannings, options);
        outcome.notes = take_repeated_notes(plannings);
    }
    for (const Planning& planning : plannings) {
        if (!planning.registry_path.empty()) outcome.registry = planning.registry_path;
    }
    if (!std::all_of(plannings.begin(), plannings.end(), is_viable)) {
        outcome.exit_code = kDeclined;
        outcome.refusal = "no tier has a plan at this budget; nothing was written for it";
    }
    return outcome;
}

Result<Outcome> plan_for(const Options& options, const Machine& machine) {
    if (options.emit_args) {
        const Result<std::vector<Job>> jobs = jobs_of_model(options);
        if (!jobs) return jobs.error();
        return plan_static(options, machine, jobs.value().front());
    }
    Result<Planned> planned = plan_jobs(options, machine);
    if (!planned) return planned.error();
    if (const auto* refusal = std::get_if<Refusal>(&planned.value())) {
        return declined(refusal->reason, machine.notes);
    }
    std::vector<Planning> plannings;
    for (PlannedJob& job : std::get<std::vector<PlannedJob>>(planned.value())) {
        if (const Status settled = settle(options, job); !settled) return settled.error();
        plannings.push_back(std::move(job.planning));
    }
    return outcome_of(std::move(plannings), options);
}

}  // namespace

Result<Outcome> plan(const Options& options) {
    Result<Machine> machine = load_machine(options);
    if (!machine) return machine.error();
    if (auto note = registry_note(options)) machine.value().notes.push_back(std::move(*note));
    return plan_for(options, machine.value());
}

}  // namespace pshard::tool
