#include "plan_params/planner.h"

#include <algorithm>
#include <variant>

#include <fmt/format.h>

#include "base/counted.h"
#include "base/text.h"
#include "plan_params/static_args.h"
#include "planning/jobs.h"
#include "planning/machine.h"
#include "planning/model_source.h"
#include "planning/plan_model.h"
#include "planning/registry_writing.h"
#include "report/report.h"

namespace pshard::tool {
namespace {

std::string registry_path(const Options& options) {
    if (options.no_registry) return "";
    if (!options.registry.empty()) return options.registry;
    return options.model.empty() ? "" : registry_beside(options.model);
}

// Why no registry is written where none was refused.
std::optional<std::string> registry_note(const Options& options) {
    const bool expected = !options.no_registry && !options.emit_args;
    if (!expected || !registry_path(options).empty()) return std::nullopt;
    return "no registry is written, since no model is named: give -m MODEL or --registry FILE";
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
        if (planning.registry_path.empty()) continue;
        outcome.written = "the plan was written to " + planning.registry_path;
    }
    if (!std::all_of(plannings.begin(), plannings.end(), is_viable)) {
        outcome.exit_code = kDeclined;
        outcome.refusal = kNothingViable;
    }
    return outcome;
}

// The context that the model is planned for.
Result<ContextSpec> context_to_plan(const Options& options) {
    if (!options.inventory.empty()) {
        const Result<Inventory> inventory = read_inventory(options.inventory);
        if (!inventory) return inventory.error();
        return inventory.value().context;
    }
    const Result<std::vector<Job>> jobs = jobs_of_model(options);
    if (!jobs) return jobs.error();
    return jobs.value().front().context;
}

// Fails on a prompt or an answer that no sequence holds.
Status check_request(const Options& options) {
    const bool given = options.given.contains("-p") || options.given.contains("-n");
    if (options.bench.wanted || !given) return Done{};
    const Result<ContextSpec> context = context_to_plan(options);
    if (!context) return context.error();
    const Result<Workload> work = workload_of(options, context.value());
    if (!work) return work.error();
    const std::uint32_t room = tokens_per_sequence(context.value());
    for (const auto& [flag, text] :
         {std::pair("-p", options.bench.prompts), std::pair("-n", options.bench.generations)}) {
        if (number_of<std::uint32_t>(text).value_or(0) <= room) continue;
        return Error{fmt::format("{} {}: a sequence holds {} here: give fewer, or a larger -c",
                                 options.typed(flag),
                                 text,
                                 counted(room, "token")),
                     {}};
    }
    return Done{};
}

Result<Outcome> plan_for(const Options& options, const Machine& machine) {
    if (options.emit_args) {
        const Result<std::vector<Job>> jobs = jobs_of_model(options);
        if (!jobs) return jobs.error();
        return emit_args(options, machine, jobs.value().front());
    }
    Result<Planned> planned = plan_jobs(options, machine);
    if (!planned) return planned.error();
    if (const auto* refusal = std::get_if<Refusal>(&planned.value())) {
        return declined(refusal->reason, machine.notes);
    }
    std::vector<Planning> plannings;
    const std::string path = registry_path(options);
    for (PlannedJob& job : std::get<std::vector<PlannedJob>>(planned.value())) {
        add_stock_fits(job.planning);
        const Status kept = path.empty() ? note_section(job) : write_plan(path, job);
        if (!kept) return kept.error();
        plannings.push_back(std::move(job.planning));
    }
    return outcome_of(std::move(plannings), options);
}

}  // namespace

Result<Outcome> plan(const Options& options) {
    if (const Status request = check_request(options); !request) return request.error();
    Result<Machine> machine = load_machine(options);
    if (!machine) return machine.error();
    if (auto note = registry_note(options)) machine.value().notes.push_back(std::move(*note));
    return plan_for(options, machine.value());
}

}  // namespace pshard::tool
