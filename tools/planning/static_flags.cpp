#include "planning/static_flags.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "common/log.h"
#include "planning/context_size.h"
#include "planning/model_source.h"

namespace pshard::tool {
namespace {

constexpr std::uint32_t kStockBatch = 2048;

// llama.cpp's -b as given, else its default.
std::uint32_t batch_tokens(const Options& options, std::uint32_t n_ubatch) {
    return options.context.n_batch.value_or(std::max(kStockBatch, n_ubatch));
}

StaticWish wish_of(const Options& options, const Machine& machine, const Job& job) {
    StaticWish wish;
    wish.context = job.context;
    wish.tiers = job.tiers;
    wish.largest_batch = batch_tokens(options, job.tiers.back());
    wish.profile = machine.pricing();
    wish.host = host_limits(machine);
    wish.depth_tokens = options.depth.value_or(tokens_per_sequence(job.context) / 2);
    return wish;
}

Result<DeviceUse> memory_of(const Options& options,
                            const Inventory& inventory,
                            const StaticPlan& plan) {
    const Result<StockMemory> memory =
        stock_memory_in_child({.model_path = options.model,
                               .context = inventory.context,
                               .n_gpu_layers = plan.args.n_gpu_layers,
                               .cpu_patterns = plan.args.cpu_patterns,
                               .op_offload = plan.op_offload,
                               .load_mtp = drafting_of(options).mtp,
                               .n_rs_seq = drafting_of(options).n_rs_seq,
                               .device = options.device});
    if (!memory) return memory.error();
    return DeviceUse{memory.value().model, memory.value().context, 0, memory.value().compute};
}

ContextSpec in_ubatch(ContextSpec context, std::uint32_t n_ubatch) {
    context.n_ubatch = n_ubatch;
    context.n_batch = n_ubatch;
    return context;
}

StockModel model_of(const Options& options, const Job& job, Known& known) {
    StockModel model;
    model.packed = known.packed;
    model.capture = [&](std::uint32_t n_ubatch, const std::vector<std::uint32_t>& tiers) {
        return known.captures.of({options.model,
                                  in_ubatch(job.context, n_ubatch),
                                  tiers,
                                  options.device,
                                  drafting_of(options)});
    };
    model.memory = [&](const Inventory& inventory, const StaticPlan& plan) {
        return memory_of(options, inventory, plan);
    };
    model.drafting = [&](std::uint32_t n_ubatch) {
        return drafting_bytes(options, in_ubatch(job.context, n_ubatch));
    };
    model.show_search = [] {
        const auto notice =
            std::make_shared<SlowNotice>("planning for stock llama.cpp", "ubatches");
        return [notice](std::size_t done, std::size_t all) { notice->show(done, all); };
    };
    return model;
}

std::string why_no_static_plan(const NoStaticPlan& none,
                               const StaticWish& wish,
                               const Machine& machine,
                               const StockModel& model) {
    if (!none.least_need) return "no static plan fits this budget";
    const Problem problem{
        none.inventory, nullptr, wish.budget, 0, wish.host, std::nullopt, {}, model.packed};
    return host_refusal(problem, *none.least_need, machine.host);
}

}  // namespace

Result<std::variant<StaticFlags, Refusal>> find_static_flags(const Options& options,
                                                             const Machine& machine,
                                                             const Job& job,
                                                             const Workload& work,
                                                             Known& known) {
    using Answer = std::variant<StaticFlags, Refusal>;
    const Result<std::optional<Refusal>> too_large = check_context(options, machine, job);
    if (!too_large) return too_large.error();
    if (too_large.value()) return Answer(*too_large.value());
    // What drafts takes more in a larger ubatch: it is counted for each.
    const auto budget = budget_use(options, machine, in_ubatch(job.context, job.tiers.front()));
    if (!budget) return budget.error();
    if (const auto* refusal = std::get_if<Refusal>(&budget.value())) return Answer(*refusal);
    const BudgetUse& use = std::get<BudgetUse>(budget.value());
    StaticWish wish = wish_of(options, machine, job);
    wish.budget = use.total - use.taken() + use.draft;
    wish.work = work;
    const StockModel model = model_of(options, job, known);
    auto found = find_static_plan(wish, model);
    if (!found) return found.error();
    if (const auto* none = std::get_if<NoStaticPlan>(&found.value())) {
        return Answer(Refusal{why_no_static_plan(*none, wish, machine, model)});
    }
    StaticFlags flags{std::get<StaticFound>(std::move(found).value()), 0, machine.notes};
    flags.n_batch = batch_tokens(options, flags.found.plan.n_ubatch);
    for (const auto& note : {context_note(flags.found.inventory),
                             idle_note(flags.found.inventory),
                             idle_cache_note(flags.found.inventory),
                             budget_note(options, use),
                             batch_note(options, job.context)}) {
        if (note) flags.notes.push_back(*note);
    }
    return Answer(std::move(flags));
}

}  // namespace pshard::tool
