#include "plan_params/static_args.h"

#include <algorithm>
#include <variant>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "common/log.h"
#include "plan_flags/bench_contexts.h"
#include "planning/budget.h"
#include "planning/jobs.h"
#include "planning/machine.h"
#include "planning/model_source.h"
#include "search/evaluator.h"
#include "strategy/rules.h"
#include "strategy/stock_args.h"

namespace pshard::tool {
namespace {

constexpr std::uint32_t kAnswer = 128;
constexpr std::uint32_t kSmallestUbatch = 512;
constexpr std::uint32_t kLongestPrompt = 4096;
constexpr std::uint32_t kStockBatch = 2048;

// What plans are compared by: tokens of a sequence, which all have the same.
struct Work {
    std::uint32_t prompt = 0;
    std::uint32_t answer = kAnswer;
    std::uint32_t sequences = 1;
};

// A plan that stock can run, and what it is expected to take.
struct StaticPlan {
    Candidate prompt;  // in the graph of a ubatch
    std::optional<Prediction> generation;
    StockArgs args;
    std::uint32_t n_ubatch = 0;
    bool op_offload = true;

    std::optional<Seconds> seconds(const Work& work) const {
        if (!prompt.prediction || !generation) return std::nullopt;
        const double passes = std::max(1.0, double(work.prompt) * work.sequences / n_ubatch);
        return passes * prompt.prediction->pass_seconds + work.answer * generation->pass_seconds;
    }
};

// The one number of a list of llama-bench's; nullopt: nothing was given.
Result<std::optional<std::uint32_t>> one_number(const char* flag, const std::string& text) {
    std::optional<std::uint32_t> number;
    if (text.empty()) return number;
    const Result<std::vector<std::uint32_t>> values = read_ranges(text);
    if (!values) return values.error();
    if (values.value().size() != 1 || values.value().front() == 0) {
        return Error{
            fmt::format("{} {}: --emit-args wants one number of tokens above 0", flag, text), {}};
    }
    return std::optional(values.value().front());
}

Result<Work> work_of(const Options& options, const ContextSpec& context) {
    const auto prompt = one_number("-p", options.bench.prompts);
    const auto answer = one_number("-n", options.bench.generations);
    if (!prompt) return prompt.error();
    if (!answer) return answer.error();
    const std::uint32_t n_ctx = tokens_per_sequence(context);
    const std::uint32_t usual = std::clamp(n_ctx / 2, kSmallestUbatch, kLongestPrompt);
    Work work;
    work.prompt = std::min(n_ctx, prompt.value().value_or(usual));
    work.answer = answer.value().value_or(kAnswer);
    work.sequences = context.n_seq_max;
    return work;
}

// llama.cpp's -b, which holds every ubatch: as given, else its default.
std::uint32_t batch_tokens(const Options& options, std::uint32_t n_ubatch) {
    return options.context.n_batch.value_or(std::max(kStockBatch, n_ubatch));
}

std::vector<std::uint32_t> ubatches(const Options& options, const Job& job, const Work& work) {
    const std::uint32_t all = std::min(work.prompt * work.sequences, job.context.n_ctx);
    const std::uint32_t most = std::min(all, batch_tokens(options, job.tiers.back()));
    std::vector<std::uint32_t> sizes;
    for (const std::uint32_t tier : job.tiers) {
        if (tier >= kSmallestUbatch && tier <= most) sizes.push_back(tier);
    }
    if (sizes.empty()) sizes.push_back(std::min(job.tiers.back(), most));
    return sizes;
}

// All static plans of one ubatch.
class StaticSearch {
public:
    explicit StaticSearch(const Problem& problem)
        : problem_(problem),
          generation_(problem, problem.inventory.graphs.front()),
          prompt_(problem, problem.inventory.graphs.back()) {}

    std::vector<StaticPlan> run() {
        for (const bool op_offload : {true, false}) {
            const StageOptions options{op_offload ? OpOffload::Stock : OpOffload::Never, false};
            for (const PlanChoice& choice : choices(options)) add(choice, options);
        }
        return std::move(plans_);
    }

private:
    std::vector<PlanChoice> choices(const StageOptions& options) {
        const Sizing sizing{
            [&](const PlanChoice& choice) { return prompt_.device_bytes(choice, options); },
            problem_.budget};
        std::vector<PlanChoice> all;
        for (const StrategyRule* rule : strategy_rules()) {
            if (!rule->is_static) continue;
            for (const PlanChoice& choice : rule->propose(problem_.inventory, sizing)) {
                all.push_back(choice);
            }
        }
        return all;
    }

    void add(const PlanChoice& choice, const StageOptions& options) {
        std::optional<StockArgs> args = stock_args(problem_.inventory, choice);
        if (!args) return;
        StaticPlan plan;
        plan.prompt = prompt_.evaluate(choice, options);
        const Candidate one = generation_.evaluate(choice, options);
        if (plan.prompt.verdict != Verdict::Viable || one.verdict != Verdict::Viable) return;
        plan.generation = one.prediction;
        plan.args = std::move(*args);
        plan.n_ubatch = problem_.inventory.context.n_ubatch;
        plan.op_offload = options.offload == OpOffload::Stock;
        plans_.push_back(std::move(plan));
    }

    const Problem& problem_;
    Evaluator generation_;
    Evaluator prompt_;
    std::vector<StaticPlan> plans_;
};

// Faster for the prompt and the answer together; unpriced, by what is kept on the GPU.
bool is_better(const StaticPlan& a, const StaticPlan& b, const Work& work) {
    const auto seconds_a = a.seconds(work);
    const auto seconds_b = b.seconds(work);
    if (seconds_a && seconds_b) return *seconds_a < *seconds_b;
    return better(a.prompt, b.prompt);
}

std::string overrides_text(const std::vector<std::string>& patterns) {
    if (patterns.empty()) return "";
    return fmt::format(" -ot {}=CPU", fmt::join(patterns, "=CPU,"));
}

std::string args_text(const StaticPlan& plan,
                      const Inventory& inventory,
                      const Options& options,
                      const Machine& machine) {
    const ContextSpec& context = inventory.context;
    std::string text =
        fmt::format("-ngl {}{} -fit off -c {} -b {} -ub {} -fa {} -ctk {} -ctv {} -np {} -t {}",
                    plan.args.n_gpu_layers,
                    overrides_text(plan.args.cpu_patterns),
                    context.n_ctx,
                    batch_tokens(options, plan.n_ubatch),
                    plan.n_ubatch,
                    inventory.flash_attention ? "on" : "off",
                    context.type_k,
                    context.type_v,
                    context.n_seq_max,
                    machine.n_threads);
    if (options.n_threads_batch) text += fmt::format(" -tb {}", *options.n_threads_batch);
    if (context.kv_unified) text += " -kvu";
    if (!context.kv_unified && context.n_seq_max > 1) text += " -no-kvu";
    if (context.swa_full) text += " --swa-full";
    if (!plan.op_offload) text += " --no-op-offload";
    return text + "\n";
}

// The same and what it comes to, for programs: docs/cli/llama-pshard-plan-params.md.
std::string json_text(const StaticPlan& plan,
                      const Inventory& inventory,
                      const Options& options,
                      const Work& work) {
    using Json = nlohmann::ordered_json;
    const auto rate = [](const std::optional<Prediction>& prediction) {
        return prediction ? Json(prediction->tokens_per_second) : Json(nullptr);
    };
    const std::optional<Seconds> seconds = plan.seconds(work);
    const Json json = {{"schema", "pshard-static-args"},
                       {"version", 1},
                       {"n_gpu_layers", plan.args.n_gpu_layers},
                       {"cpu_patterns", plan.args.cpu_patterns},
                       {"op_offload", plan.op_offload},
                       {"n_batch", batch_tokens(options, plan.n_ubatch)},
                       {"n_ubatch", plan.n_ubatch},
                       {"device_bytes", plan.prompt.memory.device.total()},
                       {"strategy", strategy_name(plan.prompt.choice.strategy)},
                       {"flash_attention", inventory.flash_attention},
                       {"prompt_tokens", work.prompt},
                       {"answer_tokens", work.answer},
                       {"sequences", work.sequences},
                       {"prompt_tokens_per_second", rate(plan.prompt.prediction)},
                       {"answer_tokens_per_second", rate(plan.generation)},
                       {"seconds", seconds ? Json(*seconds) : Json(nullptr)}};
    return json.dump(2) + "\n";
}

void log_choice(const StaticPlan& plan, const Work& work) {
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
            "{} and {} tokens",
            plan.prompt.prediction->tokens_per_second,
            plan.generation->tokens_per_second,
            plan.generation->depth_tokens,
            *seconds,
            work.prompt,
            work.answer);
    }
    log_line(text);
}

Result<Inventory> capture_ubatch(const Options& options, const Job& job, std::uint32_t n_ubatch) {
    const auto tier = std::lower_bound(job.tiers.begin(), job.tiers.end(), job.context.n_seq_max);
    const std::uint32_t one_each = std::min(tier == job.tiers.end() ? n_ubatch : *tier, n_ubatch);
    CaptureWish wish{options.model, job.context, {one_each}, options.device, options.mtp};
    wish.context.n_ubatch = n_ubatch;
    wish.context.n_batch = n_ubatch;
    if (n_ubatch > one_each) wish.tiers.push_back(n_ubatch);
    return capture_in_child(wish);
}

// The static plans of one ubatch, in a budget that shrinks while llama.cpp takes more.
struct UbatchPlans {
    Inventory inventory;
    Bytes budget = 0;
    std::optional<StaticPlan> best{};
};

class StaticPlanner {
public:
    StaticPlanner(const Options& options, const Machine& machine, const Job& job, const Work& work)
        : options_(options), machine_(machine), job_(job), work_(work) {}

    Status search_all(Bytes budget) {
        for (const std::uint32_t n_ubatch : ubatches(options_, job_, work_)) {
            Result<Inventory> inventory = capture_ubatch(options_, job_, n_ubatch);
            if (!inventory) return inventory.error();
            ubatches_.push_back({std::move(inventory).value(), budget});
            search(ubatches_.back());
        }
        return Done{};
    }

    // The best plan that llama.cpp keeps within `budget`, its memory as llama.cpp tells it: ggml's
    // allocator leaves holes where the planner packs. nullptr: there is none.
    Result<const UbatchPlans*> best_within(Bytes budget) {
        while (UbatchPlans* best = best_of_all()) {
            DeviceUse& use = best->best->prompt.memory.device;
            const Result<StockMemory> memory = stock_memory_in_child(stock_run(*best));
            if (!memory) return memory.error();
            const Bytes planned = use.total();
            use = {memory.value().model, memory.value().context, 0, memory.value().compute};
            if (use.total() <= budget) return best;
            best->budget = planned - std::min(planned, use.total() - budget);
            search(*best);
        }
        return nullptr;
    }

private:
    void search(UbatchPlans& plans) const {
        const SlowNotice notice("planning");
        const Problem problem{plans.inventory,
                              machine_.pricing(),
                              plans.budget,
                              options_.depth.value_or(tokens_per_sequence(job_.context) / 2),
                              host_limits(options_, machine_),
                              std::nullopt};
        plans.best.reset();
        for (StaticPlan& plan : StaticSearch(problem).run()) {
            if (!plans.best || is_better(plan, *plans.best, work_)) plans.best = std::move(plan);
        }
    }

    UbatchPlans* best_of_all() {
        UbatchPlans* best = nullptr;
        for (UbatchPlans& plans : ubatches_) {
            if (!plans.best) continue;
            if (best == nullptr || is_better(*plans.best, *best->best, work_)) best = &plans;
        }
        return best;
    }

    StockRun stock_run(const UbatchPlans& plans) const {
        return {.model_path = options_.model,
                .context = plans.inventory.context,
                .n_gpu_layers = plans.best->args.n_gpu_layers,
                .cpu_patterns = plans.best->args.cpu_patterns,
                .op_offload = plans.best->op_offload,
                .load_mtp = options_.mtp,
                .device = options_.device};
    }

    const Options& options_;
    const Machine& machine_;
    const Job& job_;
    const Work& work_;
    std::vector<UbatchPlans> ubatches_;
};

}  // namespace

Result<Outcome> plan_static(const Options& options, const Machine& machine, const Job& job) {
    const auto budget = budget_use(options, machine, job.context);
    if (!budget) return budget.error();
    if (const Refusal* refusal = std::get_if<Refusal>(&budget.value())) {
        return declined(refusal->reason, machine.notes);
    }
    const BudgetUse& use = std::get<BudgetUse>(budget.value());
    const Result<Work> work = work_of(options, job.context);
    if (!work) return work.error();
    const Bytes available = use.total - use.taken();
    StaticPlanner planner(options, machine, job, work.value());
    if (Status searched = planner.search_all(available); !searched) return searched.error();
    const Result<const UbatchPlans*> found = planner.best_within(available);
    if (!found) return found.error();
    if (found.value() == nullptr) {
        return declined("no static plan fits this budget", machine.notes);
    }
    const auto& [inventory, _, best] = *found.value();
    Outcome outcome;
    outcome.notes = machine.notes;
    const Bytes taken = use.taken() + best->prompt.memory.device.total();
    for (const auto& note : {context_note(inventory), budget_note(options, machine, taken)}) {
        if (note) outcome.notes.push_back(*note);
    }
    if (options.format == OutputFormat::Json) {
        outcome.text = json_text(*best, inventory, options, work.value());
    } else {
        log_choice(*best, work.value());
        outcome.text = args_text(*best, inventory, options, machine);
    }
    return outcome;
}

}  // namespace pshard::tool
