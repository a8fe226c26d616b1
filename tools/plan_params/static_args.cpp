#include "plan_params/static_args.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "base/counted.h"
#include "common/log.h"
#include "common/shell_word.h"
#include "plan_flags/drafting.h"
#include "planning/plan_model.h"
#include "planning/static_flags.h"

namespace pshard::tool {
namespace {

std::string overrides_text(const std::vector<std::string>& patterns) {
    if (patterns.empty()) return "";
    return fmt::format(" -ot {}=CPU", fmt::join(patterns, "=CPU,"));
}

std::string args_text(const StaticFlags& flags, const Options& options, int n_threads) {
    const StaticPlan& plan = flags.found.plan;
    const ContextSpec& context = flags.found.inventory.context;
    std::string text =
        fmt::format("-ngl {}{} -fit off -c {} -b {} -ub {} -fa {} -ctk {} -ctv {} -np {} -t {}",
                    plan.args.n_gpu_layers,
                    overrides_text(plan.args.cpu_patterns),
                    context.n_ctx,
                    flags.n_batch,
                    plan.n_ubatch,
                    flags.found.inventory.flash_attention ? "on" : "off",
                    context.type_k,
                    context.type_v,
                    context.n_seq_max,
                    n_threads);
    if (options.n_threads_batch) text += fmt::format(" -tb {}", *options.n_threads_batch);
    if (context.kv_unified) text += " -kvu";
    if (!context.kv_unified && context.n_seq_max > 1) text += " -no-kvu";
    if (context.swa_full) text += " --swa-full";
    if (!plan.op_offload) text += " --no-op-offload";
    for (const std::string& word : drafting_words(options)) {
        text += " " + visible_word(word);
    }
    return text + "\n";
}

// The flags and what they come to, for programs: docs/cli/llama-pshard-plan-params.md.
std::string json_text(const StaticFlags& flags, const Workload& work) {
    using Json = nlohmann::ordered_json;
    const auto rate = [](const std::optional<Prediction>& prediction) {
        return prediction ? Json(prediction->tokens_per_second) : Json(nullptr);
    };
    const StaticPlan& plan = flags.found.plan;
    const std::optional<Seconds> seconds = plan.seconds(work);
    const Json json = {{"schema", "pshard-static-args"},
                       {"version", 1},
                       {"n_gpu_layers", plan.args.n_gpu_layers},
                       {"cpu_patterns", plan.args.cpu_patterns},
                       {"op_offload", plan.op_offload},
                       {"n_batch", flags.n_batch},
                       {"n_ubatch", plan.n_ubatch},
                       {"device_bytes", plan.prompt.memory.device.total()},
                       {"strategy", strategy_name(plan.prompt.choice.strategy)},
                       {"flash_attention", flags.found.inventory.flash_attention},
                       {"prompt_tokens", work.prompt},
                       {"answer_tokens", work.answer},
                       {"sequences", work.sequences},
                       {"prompt_tokens_per_second", rate(plan.prompt.prediction)},
                       {"answer_tokens_per_second", rate(plan.generation)},
                       {"seconds", seconds ? Json(*seconds) : Json(nullptr)}};
    return json.dump(2) + "\n";
}

void log_choice(const StaticPlan& plan, const Workload& work) {
    const DeviceUse& use = plan.prompt.memory.device;
    std::string text = fmt::format(
        "{}, ubatches of {}: {:.1f} MiB of the GPU, weights {:.1f}, KV and state {:.1f}, scratch "
        "{:.1f}",
        strategy_name(plan.prompt.choice.strategy),
        plan.n_ubatch,
        in_mib(use.total()),
        in_mib(use.weights),
        in_mib(use.states),
        in_mib(use.scratch));
    if (const auto seconds = plan.seconds(work)) {
        text += fmt::format(
            "; prompt {:.0f} t/s, generation {:.2f} t/s at depth {}, {:.1f} s for "
            "{} and {}",
            plan.prompt.prediction->tokens_per_second,
            plan.generation->tokens_per_second,
            plan.generation->depth_tokens,
            *seconds,
            work.prompt,
            counted(work.answer, "token"));
    }
    log_line(text);
}

// Where the user has named a ubatch: a note if stock is faster with another.
std::optional<std::string> ubatch_note(const Options& options,
                                       const Machine& machine,
                                       const StaticPlan& plan,
                                       const Workload& work,
                                       Known& known) {
    const std::optional<Seconds> seconds = plan.seconds(work);
    if (!options.context.n_ubatch || !seconds) return std::nullopt;
    const Options any = with_any_ubatch(options);
    const Result<std::vector<Job>> jobs = jobs_of_model(any);
    if (!jobs) return std::nullopt;
    const auto answer = find_static_flags(any, machine, jobs.value().front(), work, known);
    if (!answer || !std::holds_alternative<StaticFlags>(answer.value())) return std::nullopt;
    const StaticPlan& best = std::get<StaticFlags>(answer.value()).found.plan;
    return slow_ubatch_note(
        {{plan.n_ubatch, *seconds}, {best.n_ubatch, best.seconds(work).value_or(*seconds)}},
        work,
        plan.n_ubatch);
}

}  // namespace

Result<Outcome> emit_args(const Options& options, const Machine& machine, const Job& job) {
    const Result<Workload> work = workload_of(options, job.context);
    if (!work) return work.error();
    Known known;
    const auto answer = find_static_flags(options, machine, job, work.value(), known);
    if (!answer) return answer.error();
    if (const auto* refusal = std::get_if<Refusal>(&answer.value())) {
        return declined(refusal->reason, machine.notes);
    }
    const StaticFlags& flags = std::get<StaticFlags>(answer.value());
    Outcome outcome;
    outcome.notes = flags.notes;
    const auto note = ubatch_note(options, machine, flags.found.plan, work.value(), known);
    if (note) outcome.notes.push_back(*note);
    if (options.format == OutputFormat::Json) {
        outcome.text = json_text(flags, work.value());
    } else {
        log_choice(flags.found.plan, work.value());
        outcome.text = args_text(flags, options, machine.n_threads);
    }
    return outcome;
}

}  // namespace pshard::tool
