// Finds which contexts to plan, and for which batch sizes.
//
// In: the flags, and the context that the model was trained with. Out: jobs, each a context and its
// tiers.
//
//   -c N, or 0 for the model's own      ->  one job
//   --bench-plan -p -n -pg -d           ->  one job for each context that llama-bench would make
//
//   tiers of a job (plan/tiers.h): 1, 16, ..., the largest        n_ubatch = n_batch = the largest
//
// The ubatch is the largest tier, since the KV cache of sliding windows is sized by it and all
// tiers share one cache. -b and -ub are bounds of the tiers, as llama.cpp runs no larger ubatch,
// and what -ub says has a tier of its own.
//
// Traps: the published fingerprint has the -c that was given, 0 where the model decides, so a job
// keeps both. -np -1 is llama-server's own choice: 4 sequences in one unified cache. llama-bench
// keeps one row of logits, whatever the batch. context_of() changes only what the flags say: a
// saved inventory brings its own context as `base`.
#include "planning/jobs.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/counted.h"
#include "plan/idle_weights.h"
#include "plan/tiers.h"
#include "plan_flags/bench_contexts.h"
#include "plan_flags/drafting.h"

namespace pshard::tool {
namespace {

// llama-server's choice for -np -1.
constexpr std::uint32_t kAutoParallel = 4;

Job make_job(const Options& options, std::uint32_t n_ctx, std::optional<std::uint32_t> tier_max) {
    Job job;
    job.context = context_of(options, {});
    job.context.n_ctx = n_ctx;
    job.tiers = tiers_of({n_ctx, job.context.n_seq_max, drafting_of(options).n_max, tier_max});
    job.context.n_ubatch = job.tiers.back();
    job.context.n_batch = job.tiers.back();
    // llama-bench has one ubatch for all its tests.
    if (options.context.n_ubatch || options.bench.wanted) job.named_ubatch = job.tiers.back();
    return job;
}

Result<std::vector<Job>> bench_jobs(const Options& options) {
    const Result<std::vector<BenchContext>> contexts = bench_contexts(options.bench);
    if (!contexts) return contexts.error();
    std::vector<Job> jobs;
    for (const BenchContext& context : contexts.value()) {
        const std::uint32_t cap = tier_cap({context.tier_cap, 1, 0, {}});
        const std::uint32_t largest = largest_given(options.context).value_or(cap);
        Job job = make_job(options, context.n_ctx, largest);
        job.n_ctx_given = context.n_ctx;
        // llama-bench keeps one row of logits.
        if (!options.context.output_use) job.context.output_use = OutputUse::Bench;
        jobs.push_back(std::move(job));
    }
    return jobs;
}

// The one number of a list of llama-bench's; nullopt: nothing was given.
Result<std::optional<std::uint32_t>> one_number(const std::string& flag, const std::string& text) {
    std::optional<std::uint32_t> number;
    if (text.empty()) return number;
    const Result<std::vector<std::uint32_t>> values = read_ranges(text);
    if (!values) return values.error();
    if (values.value().size() != 1 || values.value().front() == 0) {
        return Error{
            fmt::format("{} {}: only --bench-plan takes a list; give one number of tokens above 0",
                        flag,
                        text),
            {}};
    }
    return std::optional(values.value().front());
}

}  // namespace

Result<Workload> workload_of(const Options& options, const ContextSpec& context) {
    const std::uint32_t n_ctx = tokens_per_sequence(context);
    Workload work;
    work.sequences = context.n_seq_max;
    work.depth = options.depth.value_or(n_ctx / 2);
    work.prompt = options.bench.wanted ? context.n_ubatch : usual_prompt(n_ctx);
    if (options.bench.wanted) return work;
    const auto prompt = one_number(options.typed("-p"), options.bench.prompts);
    const auto answer = one_number(options.typed("-n"), options.bench.generations);
    if (!prompt) return prompt.error();
    if (!answer) return answer.error();
    work.prompt = std::min(n_ctx, prompt.value().value_or(work.prompt));
    work.answer = answer.value().value_or(work.answer);
    return work;
}

void cut_job(Job& job, std::uint32_t largest) {
    if (largest >= job.tiers.back()) return;
    if (job.asked_ubatch == 0) job.asked_ubatch = job.tiers.back();
    std::erase_if(job.tiers, [&](std::uint32_t tier) { return tier >= largest; });
    job.tiers.push_back(largest);
    job.context.n_ubatch = job.tiers.back();
    job.context.n_batch = job.tiers.back();
    if (job.named_ubatch) job.named_ubatch = job.tiers.back();
}

std::optional<std::uint32_t> largest_given(const ContextOptions& options) {
    const std::optional<std::uint32_t> tiers =
        options.n_ubatch ? options.n_ubatch : options.tier_max;
    if (!tiers || !options.n_batch) return tiers ? tiers : options.n_batch;
    return std::min(*tiers, *options.n_batch);
}

std::optional<std::string> batch_note(const Options& options, const ContextSpec& context) {
    ContextOptions given = options.context;
    const std::optional<std::uint32_t> n_batch = std::exchange(given.n_batch, std::nullopt);
    const std::uint32_t free =
        tier_cap({context.n_ctx, context.n_seq_max, 0, largest_given(given)});
    if (!n_batch || *n_batch >= free || options.bench.wanted) return std::nullopt;
    const std::string bound = options.typed("-b");
    if (given.n_ubatch) {
        return fmt::format("{} {} comes to {}: {} bounds it",
                           options.typed("-ub"),
                           *given.n_ubatch,
                           *n_batch,
                           bound);
    }
    return fmt::format(
        "{0} {1} bounds -ub: no ubatch of more than {1} tokens is compared", bound, *n_batch);
}

Options with_any_ubatch(Options options) {
    options.context.n_ubatch.reset();
    return options;
}

ContextSpec context_of(const Options& options, ContextSpec base) {
    const ContextOptions& given = options.context;
    const bool automatic = given.n_parallel && *given.n_parallel < 0;
    if (automatic) {
        base.n_seq_max = kAutoParallel;
        base.kv_unified = true;
    } else if (given.n_parallel) {
        base.n_seq_max = static_cast<std::uint32_t>(*given.n_parallel);
    }
    base.kv_unified = given.kv_unified.value_or(base.kv_unified);
    base.swa_full = given.swa_full.value_or(base.swa_full);
    base.flash_attention = given.flash_attention.value_or(base.flash_attention);
    base.type_k = given.type_k.value_or(base.type_k);
    base.type_v = given.type_v.value_or(base.type_v);
    base.output_use = given.output_use.value_or(base.output_use);
    // A row for each token that is checked, and one more for each sequence.
    const std::uint32_t n_drafted = drafting_of(options).n_max;
    if (n_drafted > 0) base.n_outputs = base.n_seq_max * (1 + n_drafted);
    base.n_outputs = given.n_outputs.value_or(base.n_outputs);
    return base;
}

std::optional<std::string> context_note(const Inventory& inventory) {
    const ContextSpec& context = inventory.context;
    const std::uint32_t tokens = std::min(tokens_per_sequence(context), context.n_ctx);
    if (inventory.n_ctx_train == 0 || tokens <= inventory.n_ctx_train) return std::nullopt;
    return fmt::format(
        "sequences of {} tokens are longer than the {} that the model was trained with: what it "
        "says beyond may make no sense",
        tokens,
        inventory.n_ctx_train);
}

std::optional<std::string> idle_note(const Inventory& inventory) {
    if (inventory.graphs.empty()) return std::nullopt;
    const std::vector<int> idle = idle_layer_weights(inventory, inventory.graphs.front());
    if (idle.empty()) return std::nullopt;
    const auto weight = [&](int i) { return inventory.weights[static_cast<std::size_t>(i)]; };
    Bytes bytes = 0;
    for (const int i : idle) bytes += weight(i).bytes;
    return fmt::format(
        "the device ('{}') cannot compute with {}, {:.1f} MiB, {} the first: the CPU does, "
        "from host memory",
        inventory.device.name,
        counted(idle.size(), "weight"),
        in_mib(bytes),
        weight(idle.front()).name);
}

std::optional<std::string> idle_cache_note(const Inventory& inventory) {
    if (inventory.graphs.empty()) return std::nullopt;
    const std::vector<bool> idle = idle_states(inventory, inventory.graphs.front());
    Bytes bytes = 0;
    for (std::size_t i = 0; i < idle.size(); ++i) {
        if (idle[i]) bytes += inventory.states[i].bytes;
    }
    if (bytes == 0) return std::nullopt;
    const ContextSpec& context = inventory.context;
    return fmt::format(
        "the device ('{}') has no kernel for attention over this cache (-ctk {} -ctv {}), {:.1f} "
        "MiB: the CPU computes it, from host memory; another type, or -fa off, may have one",
        inventory.device.name,
        context.type_k,
        context.type_v,
        in_mib(bytes));
}

Result<std::vector<Job>> make_jobs(const Options& options, std::uint32_t n_ctx_train) {
    if (options.bench.wanted) return bench_jobs(options);
    const std::uint32_t given = options.context.n_ctx.value_or(0);
    const std::uint32_t n_ctx = given > 0 ? given : n_ctx_train;
    if (n_ctx == 0) {
        return Error{"the model does not say which context it was trained with: give -c", {}};
    }
    Job job = make_job(options, n_ctx, largest_given(options.context));
    job.n_ctx_given = given;
    return std::vector<Job>{std::move(job)};
}

}  // namespace pshard::tool
