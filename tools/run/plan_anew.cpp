// Plans with llama-pshard-plan-params, and holds the plan against the best that stock can do.
#include <algorithm>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/units.h"
#include "run/goal.h"
#include "run/run_plan.h"

namespace pshard::tool {
namespace {

using nlohmann::json;

// A plan that gains less than this on stock is not worth a backend of its own.
constexpr double kWorthwhile = 1.02;

std::string planner_of(const PlanRequest& request) {
    return request.here.folder + "/llama-pshard-plan-params";
}

struct Answer {
    int exit_code = 0;
    json document;
};

Result<Command> planner_command(const PlanRequest& request,
                                const std::vector<std::string>& output) {
    Result<std::vector<std::string>> arguments = planner_arguments(request);
    if (!arguments) return arguments.error();
    Command command{{planner_of(request)}, request.here.environment};
    for (const auto& words : {arguments.value(), output}) {
        command.words.insert(command.words.end(), words.begin(), words.end());
    }
    return command;
}

Result<Finished> run_planner(const PlanRequest& request,
                             const std::vector<std::string>& output,
                             Catch caught) {
    const Result<Command> command = planner_command(request, output);
    if (!command) return command.error();
    return run_command(command.value(), caught);
}

Result<Answer> ask_planner(const PlanRequest& request,
                           const std::vector<std::string>& output,
                           Catch caught) {
    const Result<Finished> finished = run_planner(request, output, caught);
    if (!finished) return finished.error();
    Answer answer{finished.value().exit_code, {}};
    if (answer.exit_code != 0) return answer;
    answer.document = json::parse(finished.value().out, nullptr, false);
    if (answer.document.is_object() && answer.document.value("version", 0) == 1) return answer;
    return Error{"its JSON is not of version 1: take it and llama-pshard-run of one pshard",
                 {planner_of(request)}};
}

std::uint32_t count(const json& value) { return value.get<std::uint32_t>(); }

// As PSHARD_FINGERPRINT names the plans in the registry. llama-bench has one for each context.
std::string fingerprint_of(const json& plans) {
    std::string names;
    for (const json& plan : plans) {
        names += fmt::format("{}{}:{}",
                             names.empty() ? "" : ",",
                             plan["fingerprint"].get<std::string>(),
                             count(plan["cache_ubatch"]));
    }
    return names;
}

// What all plans of a run have in common, and the largest ubatch of them.
RunPlan plan_of(const json& plans, const PlanRequest& request) {
    const json& first = plans.front();
    const json& context = first["context"];
    RunPlan plan;
    plan.n_ctx = count(context["n_ctx"]);
    for (const json& each : plans) {
        plan.n_ubatch = std::max(plan.n_ubatch, count(each["context"]["n_ubatch"]));
    }
    plan.n_seq_max = count(context["n_seq_max"]);
    plan.kv_unified = context["kv_unified"];
    plan.swa_full = context["swa_full"];
    plan.flash_attention = context["flash_attention"].get<bool>() ? "on" : "off";
    plan.type_k = context["type_k"];
    plan.type_v = context["type_v"];
    plan.n_threads = request.n_threads;
    plan.n_batch = std::max(plan.n_ubatch, request.options.plan.context.n_batch.value_or(0));
    plan.budget_mib = (first["budget"]["total_bytes"].get<std::uint64_t>() + kMiB - 1) / kMiB;
    plan.registry = registry_of(request.options);
    plan.fingerprint = fingerprint_of(plans);
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

bool stock_holds(const json& plans) {
    return std::all_of(plans.begin(), plans.end(), [](const json& plan) {
        return !plan["stock_holds_all"].is_null();
    });
}

// Seconds of a pass of the tier with that many tokens at least; nullopt: not predicted.
std::optional<double> pass_seconds(const json& tier) {
    if (!tier["viable"].get<bool>() || tier["plan"]["prediction"].is_null()) return std::nullopt;
    return tier["plan"]["prediction"]["pass_seconds"].get<double>();
}

// The request as the plan serves it: the prompt in batches of `n_ubatch`, the answer token by token
// for all slots at once.
std::optional<double> planned_seconds(const json& plan,
                                      const Workload& work,
                                      std::uint32_t n_ubatch) {
    std::optional<double> prompt;
    std::optional<double> token;
    const std::uint32_t slots = count(plan["context"]["n_seq_max"]);
    for (const json& tier : plan["tiers"]) {
        const std::optional<double> pass = pass_seconds(tier);
        if (!pass) continue;
        const std::uint32_t tokens = count(tier["tokens"]);
        if (!token && tokens >= slots) token = *pass;
        if (tokens == n_ubatch) prompt = std::max(1.0, double(work.prompt) / tokens) * *pass;
    }
    if (!prompt || !token) return std::nullopt;
    return slots * *prompt + work.answer * *token;
}

std::uint32_t tokens_of_a_sequence(const json& plan) {
    const json& context = plan["context"];
    const std::uint32_t n_ctx = count(context["n_ctx"]);
    return context["kv_unified"].get<bool>() ? n_ctx : n_ctx / count(context["n_seq_max"]);
}

// Unless the user has named one: the ubatch that the goal's prompts are fastest in, where the plan
// holds for it.
void settle_ubatch(const PlanRequest& request, const json& planned, RunPlan& plan) {
    const ContextOptions& context = request.options.plan.context;
    if (context.n_ubatch || planned["context"].value("windowed", true)) return;
    std::vector<TierPass> passes;
    for (const json& tier : planned["tiers"]) {
        passes.push_back({count(tier["tokens"]), pass_seconds(tier).value_or(0)});
    }
    const Workload work = workload_of(request.options.goal, tokens_of_a_sequence(planned));
    const std::uint32_t best = best_ubatch(passes, work.prompt);
    if (best > 0) plan.n_ubatch = best;
}

// The best that stock can do, where it takes no more than 2 % longer than the plan.
Result<bool> prefer_stock(const PlanRequest& request, const json& planned, RunPlan& plan) {
    const Workload work = workload_of(request.options.goal, tokens_of_a_sequence(planned));
    const std::optional<double> ours = planned_seconds(planned, work, plan.n_ubatch);
    if (!ours || request.options.plan.forced) return false;
    const Result<Answer> asked = ask_planner(request,
                                             {"--emit-args",
                                              "-o",
                                              "json",
                                              "-p",
                                              std::to_string(work.prompt),
                                              "-n",
                                              std::to_string(work.answer)},
                                             Catch::OutAlone);
    if (!asked) return asked.error();
    if (asked.value().exit_code != 0) return false;  // stock cannot at all
    const json& stock = asked.value().document;
    if (stock["seconds"].is_null()) return false;
    const double theirs = stock["seconds"];
    plan.why = fmt::format(
        "{} prompt and {} answer tokens take {:.3g} s by the plan, {:.3g} s by the best that stock "
        "llama.cpp can do alone",
        work.prompt,
        work.answer,
        *ours,
        theirs);
    if (theirs > *ours * kWorthwhile) return false;
    leave_batches_to_stock(request, plan);
    plan.n_batch = stock["n_batch"];
    plan.n_ubatch = stock["n_ubatch"];
    plan.placement = StockPlacement{stock["n_gpu_layers"],
                                    stock["cpu_patterns"].get<std::vector<std::string>>(),
                                    stock["op_offload"]};
    return true;
}

// The plan once more, into the registry where it will be read. The notes have been told. A dry run
// keeps the command that would.
Result<RunDecision> plan_and_write(const PlanRequest& request, RunDecision planned) {
    if (request.options.dry_run) {
        Result<Command> command = planner_command(request, {});
        if (!command) return command.error();
        planned.plan.planning = std::move(command.value().words);
        return planned;
    }
    const Result<Finished> written = run_planner(request, {"-o", "csv"}, Catch::OutAndErr);
    if (!written) return written.error();
    planned.exit_code = written.value().exit_code;
    if (planned.exit_code != 0) fmt::print(stderr, "{}", written.value().out);
    return planned;
}

}  // namespace

Result<RunDecision> plan_anew(const PlanRequest& request) {
    const bool bench = request.program.kind == ProgramKind::Bench;
    const Result<Answer> asked = ask_planner(request, {"-o", "json", "--no-registry"}, Catch::Out);
    if (!asked) return asked.error();
    if (asked.value().exit_code != 0) return RunDecision{asked.value().exit_code, {}};
    const json& plans = asked.value().document["plans"];
    RunDecision planned{0, plan_of(plans, request)};
    if (bench) planned.plan.n_ctx = 0;
    if (stock_holds(plans)) {
        leave_batches_to_stock(request, planned.plan);
        planned.plan.why = "the whole model fits into the budget";
        return planned;
    }
    if (!bench) {
        settle_ubatch(request, plans.front(), planned.plan);
        const Result<bool> stock = prefer_stock(request, plans.front(), planned.plan);
        if (!stock) return stock.error();
        if (stock.value()) return planned;
    }
    return plan_and_write(request, std::move(planned));
}

std::string registry_of(const RunOptions& options) {
    if (!options.plan.registry.empty()) return options.plan.registry;
    return options.plan.model + ".tensor_overrides.pshard_registry";
}

}  // namespace pshard::tool
