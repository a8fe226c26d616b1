// Plans what the flags ask for, from a model file or a saved inventory to finished plans.
//
// In: the flags and a machine. Out: a plan for each job, or the refusal of the first that has none.
//
//   model file   header -> jobs -> each: capture in a child process --+
//   inventory    read   -> its one job -------------------------------+
//                                                                     v
//   budget_use() -> make_plan() -> check_plan() [-> check_rivals()] -> notes
//
// Every plan is verified before anybody sees it, and the time of that is told. PSHARD_CHECK=1 has
// the rivals verified as well, which takes seconds for a large model.
//
// Traps: a saved inventory holds one context, so that flags which ask for another are an error.
// Without --depth, a plan is for half of a sequence. The inventory is saved before the budget is
// known, so that a model without a plan can still be reported.
#include "planning/plan_model.h"

#include <algorithm>
#include <chrono>
#include <filesystem>

#include <fmt/format.h>

#include "common/log.h"
#include "plan_flags/drafting.h"
#include "planning/context_size.h"
#include "planning/model_source.h"
#include "search/check_plan.h"

namespace pshard::tool {
namespace {

// The job of a saved inventory, which holds a context: what the flags say must be the same.
Result<Job> job_of_inventory(const Options& options, const Inventory& inventory) {
    Job job{inventory.context, options.context.n_ctx.value_or(inventory.context.n_ctx), {}};
    ContextSpec asked = context_of(options, inventory.context);
    if (job.n_ctx_given != 0) asked.n_ctx = job.n_ctx_given;
    if (asked != inventory.context || options.context.tier_max) {
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

class JobPlanner {
public:
    JobPlanner(const Options& options, const Machine& machine)
        : options_(options), machine_(machine) {}

    // Plans a job. A Refusal tells why nothing can be planned.
    Result<std::optional<Refusal>> add(Inventory inventory, const Job& job) {
        if (const Status saved = save_inventory(options_, inventory); !saved) return saved.error();
        Result<std::variant<BudgetUse, Refusal>> budget =
            budget_use(options_, machine_, inventory.context);
        if (!budget) return budget.error();
        if (const Refusal* refusal = std::get_if<Refusal>(&budget.value())) {
            return std::optional(*refusal);
        }
        Planning planning = planning_of(std::move(inventory), std::get<BudgetUse>(budget.value()));
        if (planning.depth_tokens > planning.inventory.context.n_ctx) {
            return Error{fmt::format("--depth {} is beyond the context of {} tokens",
                                     planning.depth_tokens,
                                     planning.inventory.context.n_ctx),
                         {}};
        }
        SlowNotice notice("planning", "tiers");
        planning.on_progress = [&](std::size_t done, std::size_t all) { notice.show(done, all); };
        make_plan(planning);
        planning.on_progress = {};
        if (auto reason = host_refusal(planning, machine_.host)) {
            return std::optional(Refusal{std::move(*reason)});
        }
        if (const Status right = check(planning); !right) return right.error();
        if (options_.explain) add_details(planning);
        for (const auto& note : {context_note(planning.inventory),
                                 idle_note(planning.inventory),
                                 budget_note(options_, planning.budget),
                                 host_note(planning, machine_.host)}) {
            if (note) planning.notes.push_back(*note);
        }
        planned_.push_back({job, std::move(planning)});
        return std::optional<Refusal>();
    }

    std::vector<PlannedJob> take() { return std::move(planned_); }

private:
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

    Planning planning_of(Inventory inventory, const BudgetUse& budget) const {
        Planning planning;
        planning.model_path = options_.model.empty() ? options_.inventory : options_.model;
        planning.inventory = std::move(inventory);
        planning.budget = budget;
        planning.profile = machine_.pricing();
        planning.host = host_limits(machine_);
        planning.depth_tokens =
            options_.depth.value_or(tokens_per_sequence(planning.inventory.context) / 2);
        planning.n_threads = machine_.n_threads;
        planning.forced = options_.forced;
        planning.notes = machine_.notes;
        return planning;
    }

    const Options& options_;
    const Machine& machine_;
    std::vector<PlannedJob> planned_;
};

Result<Planned> plan_saved(const Options& options, const Machine& machine) {
    Result<Inventory> inventory = read_inventory(options.inventory);
    if (!inventory) return inventory.error();
    if (const Status same = check_same_model(options, inventory.value()); !same) {
        return same.error();
    }
    const Result<Job> job = job_of_inventory(options, inventory.value());
    if (!job) return job.error();
    JobPlanner planner(options, machine);
    const auto refusal = planner.add(std::move(inventory).value(), job.value());
    if (!refusal) return refusal.error();
    if (refusal.value()) return Planned(*refusal.value());
    return Planned(planner.take());
}

Result<Planned> plan_captured(const Options& options, const Machine& machine) {
    const Result<std::vector<Job>> jobs = jobs_of_model(options);
    if (!jobs) return jobs.error();
    JobPlanner planner(options, machine);
    for (const Job& job : jobs.value()) {
        const Result<std::optional<Refusal>> too_large = check_context(options, machine, job);
        if (!too_large) return too_large.error();
        if (too_large.value()) return Planned(*too_large.value());
        Result<Inventory> inventory = capture_in_child(
            {options.model, job.context, job.tiers, options.device, drafting_of(options)});
        if (!inventory) return inventory.error();
        const auto refusal = planner.add(std::move(inventory).value(), job);
        if (!refusal) return refusal.error();
        if (refusal.value()) return Planned(*refusal.value());
    }
    return Planned(planner.take());
}

}  // namespace

Result<std::vector<Job>> jobs_of_model(const Options& options) {
    const Result<ModelFacts> facts = read_facts(options.model);
    if (!facts) return facts.error();
    return make_jobs(options, facts.value().n_ctx_train);
}

Result<Planned> plan_jobs(const Options& options, const Machine& machine) {
    return options.inventory.empty() ? plan_captured(options, machine)
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
