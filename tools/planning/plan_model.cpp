// Plans what the flags ask for, from a model file or a saved inventory to finished plans.
//
// In: the flags and a machine. Out: a plan for each job, or the refusal of the first that has none.
//
//   model file   header -> jobs -> each: capture in a child process --+
//                           ^-- find_largest_tier() before that, if     |
//                               caches or drafts grow with the ubatch   |
//   inventory    read   -> its one job -------------------------------+
//                                                                     v
//   budget_use() -> find_tiers() -> check_plan() [-> check_rivals()] -> notes
//
// Every plan is verified before anybody sees it, and the time of that is told. PSHARD_CHECK=1 has
// the rivals verified as well, which takes seconds for a large model.
//
// Traps: a saved inventory holds one context, so that flags which ask for another are an error.
// Without --depth, a plan is for half of a sequence. The inventory is saved before the budget is
// known, so that a model without a plan can still be reported. Where the cache grows with the
// ubatch, a plan whose largest tiers turn out to be dominated is made anew in the smaller cache.
#include "planning/plan_model.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "base/counted.h"
#include "common/log.h"
#include "ops/cuda_pool.h"
#include "plan_flags/drafting.h"
#include "planning/context_size.h"
#include "planning/largest_tier.h"
#include "planning/model_source.h"
#include "planning/wish.h"
#include "search/check_plan.h"

namespace pshard::tool {
namespace {

// The job of a saved inventory, which holds a context: what the flags say must be the same.
Result<Job> job_of_inventory(const Options& options, const Inventory& inventory) {
    Job job{inventory.context, options.context.n_ctx.value_or(inventory.context.n_ctx), {}};
    ContextSpec asked = context_of(options, inventory.context);
    if (job.n_ctx_given != 0) asked.n_ctx = job.n_ctx_given;
    const std::uint32_t n_ubatch = inventory.context.n_ubatch;
    const bool same_batches = options.context.n_ubatch.value_or(n_ubatch) == n_ubatch &&
                              options.context.n_batch.value_or(n_ubatch) >= n_ubatch &&
                              !options.context.tier_max;
    // Its caches are sized for this ubatch, or the user has named it.
    if (is_windowed(inventory) || options.context.n_ubatch) job.named_ubatch = n_ubatch;
    if (asked != inventory.context || !same_batches) {
        return Error{
            "the inventory was captured for another context than the flags ask for; leave "
            "them away, or capture it anew with -m and --save-inventory",
            {options.inventory}};
    }
    return job;
}

// Checks that the model beside a saved inventory is the one that the inventory is of. If no model
// is there, the registry only has its name from it.
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

// Saves the inventory if --save-inventory asks for it.
Status save_inventory(const Options& options, const Inventory& inventory) {
    if (options.save_inventory.empty()) return Done{};
    return write_inventory(options.save_inventory, inventory);
}

// Whether a ubatch that the user has named is held against all others: llama-bench is to measure
// it, and a saved inventory has no others.
bool compares_named(const Options& options) {
    return options.context.n_ubatch && options.inventory.empty() && !options.bench.wanted;
}

// Whether memory grows with the ubatch: caches, or what CUDA allocates beside the arena.
bool grows(const Inventory& inventory) {
    return is_windowed(inventory) || pool_demand(inventory).bytes > 0;
}

class JobPlanner {
public:
    JobPlanner(const Options& options, const Machine& machine, const Known& known)
        : options_(options), machine_(machine), known_(known) {}

    // Plans a job. A Refusal tells why nothing can be planned.
    Result<std::optional<Refusal>> add(Inventory inventory, const Job& job) {
        if (const Status saved = save_inventory(options_, inventory); !saved) return saved.error();
        Result<std::variant<BudgetUse, Refusal>> budget =
            budget_use(options_, machine_, inventory.context);
        if (!budget) return budget.error();
        if (const Refusal* refusal = std::get_if<Refusal>(&budget.value())) {
            return std::optional(*refusal);
        }
        Planning planning = wished_plan(
            options_, machine_, job, std::move(inventory), std::get<BudgetUse>(budget.value()));
        if (planning.depth_tokens > planning.inventory.context.n_ctx) {
            return Error{fmt::format("--depth {} is beyond the context of {}",
                                     planning.depth_tokens,
                                     counted(planning.inventory.context.n_ctx, "token")),
                         {}};
        }
        SlowNotice notice("planning", "tiers");
        planning.on_progress = [&](std::size_t done, std::size_t all) { notice.show(done, all); };
        planning.packed = known_.packed;
        planning.searched = known_.tiers;
        find_tiers(planning);
        planning.searched = {};
        planning.on_progress = {};
        add_left_out(planning);
        if (auto reason = host_refusal(planning, machine_.host)) {
            return std::optional(Refusal{std::move(*reason)});
        }
        if (const Status right = check(planning); !right) return right.error();
        if (options_.explain) add_details(planning);
        for (const auto& note : {context_note(planning.inventory),
                                 idle_note(planning.inventory),
                                 idle_cache_note(planning.inventory),
                                 budget_note(options_, planning.budget),
                                 batch_note(options_, planning.inventory.context),
                                 host_note(planning, machine_.host),
                                 ubatch_note(planning, job)}) {
            if (note) planning.notes.push_back(*note);
        }
        planned_.push_back({job, std::move(planning)});
        return std::optional<Refusal>();
    }

    // Takes the last plan back, if its caches are for a larger ubatch than its largest tier, and
    // returns that tier. The next plan tells of the tiers that this one has left out.
    std::optional<std::uint32_t> take_back_too_large() {
        Planning& planning = planned_.back().planning;
        const std::uint32_t largest = planning.plan.cache_ubatch;
        const bool fits =
            planning.plan.dominated.empty() || largest >= planning.inventory.context.n_ubatch;
        if (fits || planning.plan.baseline_vram) return std::nullopt;
        left_out_ = std::move(planning.plan.dominated);
        std::erase_if(left_out_, [&](const TierPlan& tier) { return tier.key.n_tokens < largest; });
        planned_.pop_back();
        return largest;
    }

    void take_back() { planned_.pop_back(); }

    [[nodiscard]] const Planning& last() const { return planned_.back().planning; }

    std::vector<PlannedJob> take() { return std::move(planned_); }

private:
    // Adds the tiers that a plan of the same job, taken back, has left out.
    void add_left_out(Planning& planning) {
        std::vector<TierPlan> left_out = std::exchange(left_out_, {});
        if (planning.plan.baseline_vram) return;
        std::ranges::move(left_out, std::back_inserter(planning.plan.dominated));
    }

    // Fails if src/verify finds a fault: no such plan leaves the planner.
    Status check(Planning& planning) const {
        const Problem problem = problem_of(planning);
        const auto begin = std::chrono::steady_clock::now();
        Status right = check_plan(problem, planning.plan.tiers, planning.plan.arena);
        const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
        planning.verify_seconds = taken.count();
        if (right && options_.check) right = check_rivals(problem, planning.plan.tiers);
        return right;
    }

    // Where the user has named a ubatch that is not the fastest. If no others were compared, it is
    // held against the smaller tiers of the plan.
    std::optional<std::string> ubatch_note(Planning& planning, const Job& job) const {
        const std::uint32_t named = planning.inventory.context.n_ubatch;
        const Result<Workload> work = workload_of(options_, planning.inventory.context);
        if (!options_.context.n_ubatch || !work) return std::nullopt;
        std::vector<UbatchTime> times = ubatch_times(times_of(planning), work.value());
        if (compares_named(options_)) {
            std::erase_if(times, [&](const UbatchTime& time) { return time.n_ubatch != named; });
            if (job.fastest && job.fastest->n_ubatch != named) times.push_back(*job.fastest);
        }
        auto note = slow_ubatch_note(times, work.value(), named);
        if (note && job.fastest) planning.faster_ubatch = job.fastest->n_ubatch;
        return note;
    }

    const Options& options_;
    const Machine& machine_;
    const Known& known_;
    std::vector<PlannedJob> planned_;
    std::vector<TierPlan> left_out_;  // by a plan of the next one's job; ascending
};

Result<Planned> plan_saved(const Options& options, const Machine& machine) {
    Result<Inventory> inventory = read_inventory(options.inventory);
    if (!inventory) return inventory.error();
    if (const Status same = check_same_model(options, inventory.value()); !same) {
        return same.error();
    }
    const Result<Job> job = job_of_inventory(options, inventory.value());
    if (!job) return job.error();
    const Known known;
    JobPlanner planner(options, machine, known);
    const auto refusal = planner.add(std::move(inventory).value(), job.value());
    if (!refusal) return refusal.error();
    if (refusal.value()) return Planned(*refusal.value());
    return Planned(planner.take());
}

class CapturedPlanner {
public:
    CapturedPlanner(const Options& options,
                    const Machine& machine,
                    std::vector<Job> jobs,
                    bool has_window,
                    Known& known)
        : options_(options),
          machine_(machine),
          known_(known),
          jobs_(std::move(jobs)),
          has_window_(has_window),
          planner_(options, machine, known) {}

    Result<Planned> run() {
        if (const Status captured = capture_tiers(); !captured) return captured.error();
        if (compares_named(options_)) compare_named();
        for (std::size_t i = 0; i < jobs_.size(); ++i) {
            const auto refusal = add(jobs_[i], std::move(inventories_[i]));
            if (!refusal) return refusal.error();
            if (refusal.value()) return Planned(*refusal.value());
        }
        return Planned(planner_.take());
    }

private:
    Result<Inventory> capture(const Job& job) {
        return known_.captures.of(
            {options_.model, job.context, job.tiers, options_.device, drafting_of(options_)});
    }

    Status capture_all() {
        inventories_.clear();
        for (const Job& job : jobs_) {
            Result<Inventory> inventory = capture(job);
            if (!inventory) return inventory.error();
            inventories_.push_back(std::move(inventory).value());
        }
        return Done{};
    }

    // Captures all tiers that are planned: up to the largest that is chosen where memory grows with
    // it. Where that is to be expected, few graphs are asked first: those of the largest ubatches
    // take long, and may not be planned.
    Status capture_tiers() {
        if (options_.context.n_ubatch) return capture_all();
        if (has_drafting_context(options_)) return choose_largest();
        if (!has_window_) {
            const Status captured = capture_all();
            return captured && std::ranges::any_of(inventories_, grows) ? choose_largest()
                                                                        : captured;
        }
        const Result<Job> first = first_compared(options_, jobs_);
        if (!first) return first.error();
        const Result<Inventory> few = capture(first.value());
        if (!few) return few.error();
        return is_windowed(few.value()) ? choose_largest() : capture_all();
    }

    Status choose_largest() {
        const Result<LargestTier> largest = find_largest_tier(options_, machine_, jobs_, known_);
        if (!largest) return largest.error();
        for (Job& job : jobs_) {
            cut_job(job, largest.value().tokens);
            job.note = largest.value().note;
            job.smaller_states = largest.value().smaller_states;
        }
        return capture_all();
    }

    // What the comparison of the largest tiers told, which did not know the tiers below them.
    static std::string cut_note(const std::string& note, std::uint32_t largest) {
        return fmt::format(
            "{}; but batches of {} tokens, one after the other, are faster than all larger ones",
            note,
            largest);
    }

    // Finds the fastest ubatch, to be told where that is not the one that the user has named. It is
    // only for a note: the plan does not need that all the others can be captured.
    void compare_named() {
        const auto fastest = fastest_ubatch();
        Job& job = jobs_.front();
        if (fastest) {
            job.fastest = fastest.value();
        } else {
            job.note = fmt::format("-ub {} is not compared with others: {}",
                                   job.context.n_ubatch,
                                   fastest.error().text());
        }
    }

    Result<std::optional<UbatchTime>> fastest_ubatch() {
        const Options any = with_any_ubatch(options_);
        const Result<std::vector<Job>> jobs = jobs_of_model(any);
        if (!jobs) return jobs.error();
        return find_fastest_ubatch(any, machine_, jobs.value(), known_);
    }

    // The tier that the job lacks, as such a ubatch is faster than all for prompts; 0: none. Where
    // memory grows with the ubatch all were compared before.
    std::uint32_t lacking_tier(const Job& job) {
        const bool is_compared = options_.context.n_ubatch || options_.bench.wanted ||
                                 has_drafting_context(options_) || grows(planner_.last().inventory);
        const Result<Workload> work = workload_of(options_, job.context);
        if (is_compared || !work || !may_pay_below(planner_.last(), job, work.value())) return 0;
        const auto fastest = find_smaller_ubatch(options_, machine_, job, known_);
        const bool is_new = fastest && !std::ranges::binary_search(job.tiers, fastest.value());
        return is_new ? fastest.value() : 0;
    }

    // Plans the job, again in smaller caches while its largest tiers are dominated, and with the
    // tier that it lacks.
    Result<std::optional<Refusal>> add(Job job, Inventory inventory) {
        const std::string compared = job.note;
        while (true) {
            auto refusal = planner_.add(std::move(inventory), job);
            if (!refusal || refusal.value()) return refusal;
            if (const auto largest = planner_.take_back_too_large()) {
                cut_job(job, *largest);
                if (!compared.empty()) job.note = cut_note(compared, *largest);
            } else if (const std::uint32_t lacking = lacking_tier(job); lacking > 0) {
                planner_.take_back();
                job.tiers.insert(std::ranges::lower_bound(job.tiers, lacking), lacking);
            } else {
                return refusal;
            }
            Result<Inventory> smaller = capture(job);
            if (!smaller) return smaller.error();
            inventory = std::move(smaller).value();
        }
    }

    const Options& options_;
    const Machine& machine_;
    Known& known_;
    std::vector<Job> jobs_;
    bool has_window_;  // by the model's header
    std::vector<Inventory> inventories_;
    JobPlanner planner_;
};

Result<Planned> plan_captured(const Options& options, const Machine& machine, Known& known) {
    const Result<ModelFacts> facts = read_facts(options.model);
    if (!facts) return facts.error();
    Result<std::vector<Job>> jobs = make_jobs(options, facts.value().n_ctx_train);
    if (!jobs) return jobs.error();
    const Result<Workload> work = workload_of(options, jobs.value().front().context);
    if (!work) return work.error();
    for (const Job& job : jobs.value()) {
        const Result<std::optional<Refusal>> too_large = check_context(options, machine, job);
        if (!too_large) return too_large.error();
        if (too_large.value()) return Planned(*too_large.value());
    }
    return CapturedPlanner(
               options, machine, std::move(jobs).value(), facts.value().has_window, known)
        .run();
}

}  // namespace

Result<std::vector<Job>> jobs_of_model(const Options& options) {
    const Result<ModelFacts> facts = read_facts(options.model);
    if (!facts) return facts.error();
    return make_jobs(options, facts.value().n_ctx_train);
}

Result<Planned> plan_jobs(const Options& options, const Machine& machine) {
    Known known;
    return plan_jobs(options, machine, known);
}

Result<Planned> plan_jobs(const Options& options, const Machine& machine, Known& known) {
    return options.inventory.empty() ? plan_captured(options, machine, known)
                                     : plan_saved(options, machine);
}

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

}  // namespace pshard::tool
