#include "planner/static_plan.h"

#include <algorithm>

#include "base/parallel.h"
#include "ops/cuda_pool.h"
#include "plan/tiers.h"
#include "strategy/rules.h"

namespace pshard {
namespace {

// The ubatches for prompts alone, up to the first that holds the prompts, or the largest that there
// may be.
std::vector<std::uint32_t> ubatches(const StaticWish& wish) {
    const std::uint32_t prompts =
        std::min(wish.work.prompt * wish.work.sequences, wish.context.n_ctx);
    const std::uint32_t most = std::min(prompts, wish.largest_batch);
    std::vector<std::uint32_t> sizes;
    for (const std::uint32_t tier : wish.tiers) {
        const bool is_held = !sizes.empty() && sizes.back() >= prompts;
        const bool is_for_prompts = prompts >= kFirstPromptTier && tier >= kFirstPromptTier;
        if (is_for_prompts && !is_held && tier <= wish.largest_batch) sizes.push_back(tier);
    }
    if (sizes.empty()) sizes.push_back(std::min(wish.tiers.back(), most));
    return sizes;
}

// The batches that a ubatch is priced by: one token of each sequence, and the ubatch itself.
std::vector<std::uint32_t> graphs_for(const StaticWish& wish, std::uint32_t n_ubatch) {
    const auto tier = std::ranges::lower_bound(wish.tiers, wish.context.n_seq_max);
    const std::uint32_t one_each = std::min(tier == wish.tiers.end() ? n_ubatch : *tier, n_ubatch);
    if (n_ubatch > one_each) return {one_each, n_ubatch};
    return {one_each};
}

// Whether `a` is faster for prompt and answer together; without prices, whether it keeps more on
// the GPU.
bool is_better(const StaticPlan& a, const StaticPlan& b, const Workload& work) {
    const auto seconds_a = a.seconds(work);
    const auto seconds_b = b.seconds(work);
    if (seconds_a && seconds_b) return *seconds_a < *seconds_b;
    return better(a.prompt, b.prompt);
}

// Finds the best static plan of one ubatch.
class StaticSearch {
public:
    StaticSearch(const Problem& problem, const Workload& work)
        : problem_(problem),
          work_(work),
          generation_(problem, problem.inventory.graphs.front(), LoadedBy::Flags),
          prompt_(problem, problem.inventory.graphs.back(), LoadedBy::Flags) {}

    // The need of a plan that only the host's memory is too small for, the least of them.
    [[nodiscard]] const std::optional<HostUse>& least_need() const { return least_need_; }

    std::optional<StaticPlan> run() {
        for (const bool op_offload : {true, false}) {
            const StageOptions options{op_offload ? OpOffload::Stock : OpOffload::Never, false};
            for (const PlanChoice& choice : choices(options)) add(choice, options);
        }
        if (best_) best_->times = prompt_.pass_times(best_->prompt, around(best_->prompt));
        return std::move(best_);
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
        note_need(plan.prompt);
        if (plan.prompt.verdict != Verdict::Viable) return;
        plan.n_ubatch = problem_.inventory.context.n_ubatch;
        if (is_hopeless(plan)) return;
        const Candidate one = generation_.evaluate(choice, options);
        note_need(one);
        if (one.verdict != Verdict::Viable) return;
        plan.generation = one.prediction;
        plan.args = std::move(*args);
        plan.op_offload = options.offload == OpOffload::Stock;
        if (!best_ || is_better(plan, *best_, work_)) best_ = std::move(plan);
    }

    void note_need(const Candidate& plan) {
        if (plan.verdict != Verdict::HostTooSmall) return;
        const HostUse& need = plan.memory.host;
        if (!least_need_ || need.total() < least_need_->total()) least_need_ = need;
    }

    std::vector<std::optional<Prediction>> around(const Candidate& plan) {
        const std::uint32_t full = full_depth(problem_.inventory, problem_.inventory.graphs.back());
        return {prompt_.predict_at(plan, 0), plan.prediction, prompt_.predict_at(plan, full)};
    }

    // Whether the prompt alone takes longer than prompt and answer by the best plan.
    [[nodiscard]] bool is_hopeless(const StaticPlan& plan) const {
        const auto best = best_ ? best_->seconds(work_) : std::nullopt;
        const auto prompt = plan.prompt_seconds(work_);
        return best && prompt && *prompt > *best;
    }

    const Problem& problem_;
    const Workload& work_;
    Evaluator generation_;
    Evaluator prompt_;
    std::optional<StaticPlan> best_;
    std::optional<HostUse> least_need_;
};

// The best of one ubatch, in a budget that shrinks while llama.cpp takes more than there is room.
struct UbatchPlan {
    Inventory inventory;
    Bytes room = 0;
    Bytes budget = 0;
    std::optional<StaticPlan> best{};
    std::optional<HostUse> least_need{};  // as of StaticSearch
};

class StaticPlanner {
public:
    StaticPlanner(const StaticWish& wish, const StockModel& model) : wish_(wish), model_(model) {}

    Status search_all() {
        const std::vector<std::uint32_t> sizes = ubatches(wish_);
        smallest_ = sizes.front();
        for (const std::uint32_t n_ubatch : sizes) {
            if (Status added = add(n_ubatch); !added) return added;
        }
        for_each_on_two_threads(
            ubatches_.size(),
            [this](std::size_t i) { search(ubatches_[i]); },
            model_.show_search ? model_.show_search() : nullptr);
        return Done{};
    }

    // Takes the best plan that llama.cpp keeps within the budget; its memory is as llama.cpp tells
    // it.
    Result<std::variant<StaticFound, NoStaticPlan>> take_best() {
        using Answer = std::variant<StaticFound, NoStaticPlan>;
        while (true) {
            search_below();
            UbatchPlan* best = best_of_all();
            if (best == nullptr) return Answer(no_plan());
            DeviceUse& use = best->best->prompt.memory.device;
            const Result<DeviceUse> memory = model_.memory(best->inventory, *best->best);
            if (!memory) return memory.error();
            const Bytes planned = use.total();
            use = memory.value();
            if (use.total() <= best->room) {
                return Answer(StaticFound{std::move(best->inventory), std::move(*best->best)});
            }
            best->budget = planned - std::min(planned, use.total() - best->room);
            search(*best);
        }
    }

private:
    // Leaves a ubatch out where what drafts in it and the pool take the whole budget.
    Status add(std::uint32_t n_ubatch) {
        const Result<Bytes> drafting =
            model_.drafting ? model_.drafting(n_ubatch) : Result<Bytes>(0);
        if (!drafting) return drafting.error();
        if (drafting.value() >= wish_.budget) return Done{};
        Result<Inventory> inventory = model_.capture(n_ubatch, graphs_for(wish_, n_ubatch));
        if (!inventory) return inventory.error();
        const Bytes taken = drafting.value() + pool_demand(inventory.value()).bytes;
        if (taken >= wish_.budget) return Done{};
        const Bytes room = wish_.budget - taken;
        ubatches_.push_back({std::move(inventory).value(), room, room});
        return Done{};
    }

    // Searches smaller ubatches while they may be the fastest. One that llama.cpp cannot be asked
    // of is no choice.
    void search_below() {
        while (smallest_may_be_too_large()) {
            smallest_ = smaller_ubatch(smallest_);
            const std::size_t known = ubatches_.size();
            if (add(smallest_) && ubatches_.size() > known) search(ubatches_.back());
        }
    }

    // A smaller one holds a token of each sequence, or is none.
    bool smallest_may_be_too_large() {
        const std::uint32_t next = smaller_ubatch(smallest_);
        if (next == 0 || next < wish_.context.n_seq_max) return false;
        const UbatchPlan* best = best_of_all();
        const auto own = std::ranges::find_if(ubatches_, [&](const UbatchPlan& ubatch) {
            return ubatch.inventory.context.n_ubatch == smallest_;
        });
        if (own == ubatches_.end()) return true;
        if (!own->best) return !own->least_need;
        const auto seconds = own->best->seconds(wish_.work);
        const auto fastest = best->best->seconds(wish_.work);
        return seconds && fastest &&
               may_pay_below(*seconds, own->best->prompt.prediction->bound_by, *fastest);
    }

    NoStaticPlan no_plan() {
        NoStaticPlan none;
        for (UbatchPlan& ubatch : ubatches_) {
            const auto& need = ubatch.least_need;
            if (!need || (none.least_need && none.least_need->total() <= need->total())) continue;
            none = {need, std::move(ubatch.inventory)};
        }
        return none;
    }

    void search(UbatchPlan& ubatch) const {
        const Problem problem{ubatch.inventory,
                              wish_.profile,
                              ubatch.budget,
                              wish_.depth_tokens,
                              wish_.host,
                              std::nullopt,
                              {},
                              model_.packed};
        StaticSearch search(problem, wish_.work);
        ubatch.best = search.run();
        ubatch.least_need = search.least_need();
    }

    UbatchPlan* best_of_all() {
        UbatchPlan* best = nullptr;
        for (UbatchPlan& ubatch : ubatches_) {
            if (!ubatch.best) continue;
            if (best == nullptr || is_better(*ubatch.best, *best->best, wish_.work)) best = &ubatch;
        }
        return best;
    }

    const StaticWish& wish_;
    const StockModel& model_;
    std::vector<UbatchPlan> ubatches_;
    std::uint32_t smallest_ = 0;  // of those that were looked at
};

}  // namespace

std::optional<Seconds> StaticPlan::prompt_seconds(const Workload& work) const {
    if (!prompt.prediction) return std::nullopt;
    const double prompts = double(work.prompt) * work.sequences;
    if (times.known()) return pshard::prompt_seconds(times, prompts, work.depth);
    return std::max(1.0, prompts / n_ubatch) * prompt.prediction->pass_seconds;
}

std::optional<Seconds> StaticPlan::seconds(const Workload& work) const {
    const std::optional<Seconds> prompts = prompt_seconds(work);
    if (!prompts || !generation) return std::nullopt;
    return *prompts + work.answer * generation->pass_seconds;
}

Result<std::variant<StaticFound, NoStaticPlan>> find_static_plan(const StaticWish& wish,
                                                                 const StockModel& model) {
    StaticPlanner planner(wish, model);
    if (Status searched = planner.search_all(); !searched) return searched.error();
    return planner.take_best();
}

}  // namespace pshard
