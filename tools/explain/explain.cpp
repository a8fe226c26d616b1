#include "explain/explain.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/atomic_file.h"
#include "common/log.h"
#include "explain/assets.h"
#include "explain/changes.h"
#include "explain/forms.h"
#include "planning/plan_model.h"

namespace pshard::tool {
namespace {

constexpr int kBudgets = 12;
constexpr std::size_t kMaxTraceBytes = 1024 * kMiB;

// nullopt: no trace is named.
Result<std::optional<Trace>> read_trace(const std::string& path) {
    if (path.empty()) return std::optional<Trace>();
    Result<std::optional<FilePieces>> opened = FilePieces::open(path, kMaxTraceBytes);
    if (!opened) return opened.error();
    if (!opened.value()) return Error{"there is no such trace", {path}};
    FilePieces& file = *opened.value();
    Result<Trace> trace = read_chrome_trace(
        [&file](std::string& text, std::size_t bytes) { return file.read(text, bytes); },
        file.size(),
        path);
    if (!trace) return trace.error();
    return std::optional(std::move(trace).value());
}

std::string text_of(const Explanation& explanation, ExplainFormat format) {
    switch (format) {
        case ExplainFormat::Json:
            return explanation_json(explanation);
        case ExplainFormat::Csv:
            return explanation_csv(explanation);
        case ExplainFormat::Markdown:
            break;
    }
    return explanation_markdown(explanation);
}

Status write_page(const std::string& path, const Explanation& explanation) {
    Result<FileUpdate> update = FileUpdate::begin(path);
    if (!update) return update.error();
    return update.value().commit(explanation_page(explanation, page_template(), chart_library()));
}

Error no_pass(const std::string& path, const Trace& trace) {
    if (trace.passes.empty()) return {"this trace holds no whole pass; let the run go on", {path}};
    return {fmt::format("no pass of this trace is of this model (the first is of weights {}); name "
                        "the model that ran",
                        trace.passes.front().weights),
            {path}};
}

// Studies each tier, and keeps what each winner does, step by step, for the report.
std::vector<TierStudy> studied(Planning& planning) {
    std::vector<TierStudy> studies = study_tiers(planning);
    const bool planned = !planning.plan.tiers.empty();  // else stock llama.cpp holds everything
    for (const TierStudy& study : studies) {
        if (planned) planning.details.push_back(study.detail);
    }
    return studies;
}

// Plans all that an explanation compares with. Counts plans: what changes, and each budget.
Explanation planned_explanation(const ExplainOptions& options,
                                const std::vector<Change>& changes,
                                Planning& planning) {
    const bool sweeps = (options.sweep || !options.html.empty()) && planning.profile != nullptr;
    const auto n_changes = static_cast<std::size_t>(std::ranges::count_if(
        changes, [](const Change& change) { return change.profile.has_value(); }));
    const std::size_t n_plans = n_changes + (sweeps ? std::size_t{kBudgets} : 0);
    SlowNotice notice("planning for other machines and budgets", "plans");
    Explanation explanation = explain_plan(planning, studied(planning));
    std::size_t n_done = 0;
    notice.show(n_done, n_plans);
    planning.on_progress = [&](std::size_t done, std::size_t all) {
        if (done == all) notice.show(++n_done, n_plans);
    };
    for (const Change& change : changes) {
        explanation.changes.push_back(planned_change(change, planning));
    }
    if (sweeps) explanation.budgets = sweep(planning, kBudgets);
    planning.on_progress = {};
    return explanation;
}

Result<Outcome> explained(const ExplainOptions& options,
                          const Machine& machine,
                          Planning& planning,
                          const std::optional<Trace>& trace) {
    const Result<std::vector<Change>> changes = load_changes(options, machine, planning);
    if (!changes) return changes.error();
    Explanation explanation = planned_explanation(options, changes.value(), planning);
    if (trace) explanation.measured = compare(*trace, explanation);
    if (trace && explanation.measured->tiers.empty()) return no_pass(options.trace, *trace);
    if (!options.html.empty()) {
        if (const Status written = write_page(options.html, explanation); !written) {
            return written.error();
        }
    }
    Outcome outcome{kPlanned, text_of(explanation, options.format)};
    if (!options.html.empty()) outcome.written = "the report was written to " + options.html;
    if (!is_viable(planning)) {
        outcome.exit_code = kDeclined;
        outcome.refusal = "no tier has a plan at this budget";
    }
    return outcome;
}

// Checks what can be checked of --html before anything is planned.
Status check_page(const ExplainOptions& options) {
    if (options.html.empty()) return Done{};
    if (chart_library().empty()) {
        return Error{
            "--html: this program was built without its chart library: run "
            "scripts/get-echarts and build again",
            {}};
    }
    const std::string old = beginning_of(options.html);
    if (!old.empty() && !old.starts_with("<!doctype html>")) {
        return Error{"--html: this is there and is no page; name another file, or remove it",
                     {options.html}};
    }
    const Result<FileUpdate> writable = FileUpdate::begin(options.html);
    return writable ? Status(Done{}) : Status(writable.error());
}

}  // namespace

Result<Outcome> explain_model(const ExplainOptions& options) {
    if (const Status good = check_page(options); !good) return good.error();
    const Result<std::optional<Trace>> trace = read_trace(options.trace);
    if (!trace) return trace.error();
    const Result<Machine> machine = load_machine(options.planning);
    if (!machine) return machine.error();
    Result<Planned> planned = plan_jobs(options.planning, machine.value());
    if (!planned) return planned.error();
    if (const auto* refusal = std::get_if<Refusal>(&planned.value())) {
        return declined(refusal->reason);
    }
    auto& jobs = std::get<std::vector<PlannedJob>>(planned.value());
    add_stock_fits(jobs.front().planning);
    return explained(options, machine.value(), jobs.front().planning, trace.value());
}

}  // namespace pshard::tool
