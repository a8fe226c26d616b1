// Compares largest tiers, each in a capture of its own.
//
// In: the jobs, with all tiers. Out: the largest tier that all of them shall have.
//
//   largest tier   512       1024      2048  ...      each: capture two graphs, one token of each
//                   |          |         |            sequence and a ubatch of the prompt
//                   v          v         v
//              find_tiers -> seconds of prompt and answer
//                   |          |         |
//     256, 128, ... 16 while they may be faster (may_pay_below(), planner/workload.h)
//                   \          |         /
//                    the largest of those within 1 % of the least: the cache may as well serve
//                    longer prompts than the one that is weighed
//
// Both tiers of the one that is chosen are searched: they are in the TierMemo of the plan that
// follows. Where nothing fits, nothing larger does either. If nothing fits at all, the refusal is
// that of the smallest.
//
// A ubatch that the user has named is held against all of them, in models of any kind, only for a
// note: it stays. Where memory does not grow with the ubatch all tiers are planned at once, and
// only smaller ones than those for prompts are compared, if they may be faster.
//
// Traps: a ubatch above the prompt takes the prompt in one batch of the tier that holds it, so from
// there on more cache only costs: the first that is slower than 1 % ends the comparison. A tier
// that fits alone may still be dominated in the whole plan (search/dominated.h): who plans cuts it
// off. Without a budget nothing is compared, since the plan will be refused.
#include "planning/largest_tier.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "common/log.h"
#include "plan/tiers.h"
#include "plan_flags/drafting.h"
#include "planning/budget.h"
#include "planning/model_source.h"
#include "planning/wish.h"
#include "registry/pshard_lines.h"

namespace pshard::tool {
namespace {

// Times closer than this share are as good as equal.
constexpr double kAsGood = 1.01;

// llama.cpp's own -b, and what its users give -ub: taken where nothing can be compared.
constexpr std::uint32_t kUnpriced = 2048;

// The smallest tier that holds so many tokens, else the largest.
std::uint32_t tier_for(const Job& job, std::uint64_t n_tokens) {
    const auto tier = std::ranges::lower_bound(job.tiers, n_tokens);
    return tier == job.tiers.end() ? job.tiers.back() : *tier;
}

// The tiers of the job that has most of them, from the smallest that a prompt is computed in.
std::vector<std::uint32_t> candidates_of(const std::vector<Job>& jobs) {
    const Job& most =
        *std::ranges::max_element(jobs, {}, [](const Job& job) { return job.tiers.back(); });
    std::vector<std::uint32_t> tiers = most.tiers;
    std::erase_if(tiers, [&](std::uint32_t tier) {
        return tier < kFirstPromptTier && tier != most.tiers.back();
    });
    return tiers;
}

// The job with that largest tier, and of its tiers those that it is weighed by: one token of each
// sequence, and a ubatch of the prompt.
Job weighed_job(Job job, const Workload& work, std::uint32_t largest) {
    cut_job(job, largest);
    const std::uint32_t prompt = tier_for(job, std::uint64_t{work.prompt} * work.sequences);
    std::vector<std::uint32_t> tiers = {tier_for(job, work.sequences), prompt};
    if (tiers.front() >= tiers.back()) tiers.erase(tiers.begin());
    job.tiers = std::move(tiers);
    return job;
}

// What was found with a largest tier.
struct Compared {
    std::uint32_t n_ubatch = 0;
    bool has_plan = false;             // both tiers of all jobs have one
    bool lacks_host = false;           // the host's memory is why not
    std::optional<Seconds> seconds{};  // of all jobs
    BoundBy bound_by = BoundBy::Link;  // of the last job's prompt
    Hash64 states{};                   // of the last job
};

class Comparison {
public:
    Comparison(const Options& options,
               const Machine& machine,
               const std::vector<Job>& jobs,
               Known& known)
        : options_(options), machine_(machine), jobs_(jobs), known_(known) {}

    // All that may be the fastest.
    Status run() {
        const std::vector<std::uint32_t> sizes = candidates_of(jobs_);
        n_sizes_ = sizes.size();
        for (const std::uint32_t largest : sizes) {
            const Result<Compared> compared = compare(largest);
            if (!compared) return compared.error();
            if (!compared.value().has_plan) break;
            if (!compared.value().seconds) continue;
            // The pool of a batch that is larger than the prompt's is not known here. The smallest
            // tier stays: it and all below it would tie.
            if (largest > prompt_ && !has_drafting_context(options_) && !has_window_) {
                if (compared_.size() == 1) return Done{};
                compared_.pop_back();
                break;
            }
            if (largest > prompt_ && *compared.value().seconds > least() * kAsGood) break;
        }
        return run_below(sizes.front());
    }

    // That one and smaller ones: without prices until there is a plan, else while a smaller one may
    // be the fastest.
    Status run_below(std::uint32_t largest) {
        while (true) {
            const Result<Compared> compared = known_or_compare(largest);
            if (!compared) return compared.error();
            largest = smaller_ubatch(largest);
            if (largest < jobs_.front().context.n_seq_max || largest == 0) return Done{};
            if (!may_pay_below(compared.value())) return Done{};
        }
    }

    std::optional<UbatchTime> fastest() const {
        std::optional<UbatchTime> fastest;
        for (const Compared& each : compared_) {
            if (!each.seconds || (fastest && *each.seconds >= fastest->seconds)) continue;
            fastest = {each.n_ubatch, *each.seconds};
        }
        return fastest;
    }

    [[nodiscard]] LargestTier best() const {
        if (std::ranges::none_of(compared_, &Compared::has_plan) && !compared_.empty()) {
            return {compared_.front().n_ubatch, {}, {}};
        }
        if (!fastest()) return unpriced();
        std::uint32_t best = 0;
        std::vector<std::string> times;
        for (const Compared& each : compared_) {
            if (!each.seconds) continue;
            if (*each.seconds <= least() * kAsGood) best = each.n_ubatch;
            times.push_back(
                fmt::format("{} with -ub {}", seconds_text(*each.seconds), each.n_ubatch));
        }
        const Workload work = work_of_all();
        return {best,
                smaller_states(best),
                fmt::format("{} grows with -ub: {} prompt and {} answer tokens take {}",
                            what_grows(),
                            work.prompt,
                            work.answer,
                            fmt::join(times, ", "))};
    }

private:
    [[nodiscard]] bool may_pay_below(const Compared& smallest) const {
        if (!smallest.has_plan) return !smallest.lacks_host;
        return smallest.seconds &&
               pshard::may_pay_below(*smallest.seconds, smallest.bound_by, least());
    }

    Result<Compared> known_or_compare(std::uint32_t largest) {
        const auto known = std::ranges::find(compared_, largest, &Compared::n_ubatch);
        return known == compared_.end() ? compare(largest) : Result<Compared>(*known);
    }

    Result<Compared> compare(std::uint32_t largest) {
        n_sizes_ = std::max(n_sizes_, compared_.size() + 1);
        now_ = {.n_ubatch = largest, .has_plan = true};
        const Result<std::optional<Seconds>> seconds = seconds_of(largest);
        if (!seconds) return seconds.error();
        now_.seconds = seconds.value();
        const auto after = std::ranges::upper_bound(compared_, largest, {}, &Compared::n_ubatch);
        compared_.insert(after, now_);
        return now_;
    }

    [[nodiscard]] std::vector<Hash64> smaller_states(std::uint32_t largest) const {
        std::vector<Hash64> states;
        for (const Compared& each : compared_) {
            const bool serves = each.seconds && each.n_ubatch < largest && jobs_.size() == 1;
            if (serves) states.push_back(each.states);
        }
        return states;
    }

    [[nodiscard]] Workload work_of_all() const {
        Workload all{0, 0};
        for (const Job& job : jobs_) {
            const Result<Workload> work = workload_of(options_, job.context);
            if (!work) continue;
            all.prompt += work.value().prompt;
            all.answer += work.value().answer;
        }
        return all;
    }

    // Some of them must have a time.
    [[nodiscard]] Seconds least() const { return fastest()->seconds; }

    [[nodiscard]] const char* what_grows() const {
        if (has_drafting_context(options_)) return "what drafts";
        return has_window_ ? "the cache of this model" : "CUDA's own pool";
    }

    [[nodiscard]] LargestTier unpriced() const {
        std::uint32_t largest = std::min(kUnpriced, candidates_of(jobs_).back());
        for (const Compared& each : compared_) {
            if (each.has_plan && machine_.pricing() == nullptr) largest = each.n_ubatch;
        }
        const char* why = machine_.pricing() == nullptr
                              ? "batch sizes cannot be compared without a profile"
                              : "no batch size has a time by the profile";
        return {largest,
                {},
                fmt::format("{} grows with -ub, and {}: planned for -ub up to {}; -ub N plans for "
                            "another",
                            what_grows(),
                            why,
                            largest)};
    }

    // The seconds of all jobs with that largest tier; nullopt: one of them has none.
    Result<std::optional<Seconds>> seconds_of(std::uint32_t largest) {
        std::optional<Seconds> all = 0;
        for (const Job& job : jobs_) {
            const Result<Workload> work = workload_of(options_, job.context);
            if (!work) return work.error();
            work_ = work.value();
            Result<std::optional<Seconds>> one = seconds_of(weighed_job(job, work_, largest));
            if (!one || !one.value()) return one;
            *all += *one.value();
        }
        return all;
    }

    // Of the workload that the job had with all its tiers.
    Result<std::optional<Seconds>> seconds_of(const Job& job) {
        const std::uint32_t prompt = job.tiers.back();
        prompt_ = std::max(prompt_, prompt);
        Result<Inventory> inventory = known_.captures.of(
            {options_.model, job.context, job.tiers, options_.device, drafting_of(options_)});
        if (!inventory) return inventory.error();
        has_window_ = is_windowed(inventory.value());
        now_.states = states_hash(inventory.value().states);
        const auto budget = budget_use(options_, machine_, job.context);
        if (!budget) return budget.error();
        if (std::holds_alternative<Refusal>(budget.value())) {
            now_.has_plan = false;
            return std::optional<Seconds>();
        }
        Planning planning = wished_plan(options_,
                                        machine_,
                                        job,
                                        std::move(inventory).value(),
                                        std::get<BudgetUse>(budget.value()));
        planning.named_ubatch = prompt;
        planning.packed = known_.packed;
        planning.searched = known_.tiers;
        find_tiers_shown(planning);
        for (const TierPlan& tier : planning.plan.tiers) note_tier(tier);
        return planned_seconds(times_of(planning), work_, job.context.n_ubatch);
    }

    // Tiers ascend: the last is that of the prompt.
    void note_tier(const TierPlan& tier) {
        const Candidate* winner = tier.winner();
        if (winner == nullptr) {
            now_.has_plan = false;
            now_.lacks_host = now_.lacks_host || lacks_host(tier);
        } else if (winner->prediction) {
            now_.bound_by = winner->prediction->bound_by;
        }
    }

    static bool lacks_host(const TierPlan& tier) {
        return std::ranges::count(tier.refused, Verdict::HostTooSmall, &Candidate::verdict) > 0;
    }

    // Shows how many sizes are compared, but not while a child reads the model: it shows that.
    void find_tiers_shown(Planning& planning) const {
        SlowNotice notice("comparing batch sizes", "sizes");
        notice.show(compared_.size(), n_sizes_);
        find_tiers(planning);
    }

    const Options& options_;
    const Machine& machine_;
    const std::vector<Job>& jobs_;
    Known& known_;
    std::size_t n_sizes_ = 0;
    std::vector<Compared> compared_;  // ascending by ubatch
    bool has_window_ = true;          // as the last that was captured
    Compared now_;                    // the one that is compared
    Workload work_;                   // of the last job
    std::uint32_t prompt_ = 0;        // the largest tier that a prompt is computed in
};

}  // namespace

Result<Job> first_compared(const Options& options, const std::vector<Job>& jobs) {
    const Result<Workload> work = workload_of(options, jobs.front().context);
    if (!work) return work.error();
    return weighed_job(jobs.front(), work.value(), candidates_of(jobs).front());
}

Result<LargestTier> find_largest_tier(const Options& options,
                                      const Machine& machine,
                                      const std::vector<Job>& jobs,
                                      Known& known) {
    Comparison comparison(options, machine, jobs, known);
    const std::uint32_t unpriced = std::min(kUnpriced, candidates_of(jobs).back());
    const Status done =
        machine.pricing() != nullptr ? comparison.run() : comparison.run_below(unpriced);
    if (!done) return done.error();
    return comparison.best();
}

bool may_pay_below(const Planning& planning, const Job& job, const Workload& work) {
    if (planning.plan.baseline_vram || !is_viable(planning)) return false;
    const std::uint32_t first = candidates_of({job}).front();
    const auto tier = std::ranges::find(
        planning.plan.tiers, first, [](const TierPlan& each) { return each.key.n_tokens; });
    if (tier == planning.plan.tiers.end() || tier->winner() == nullptr) return true;
    const std::vector<UbatchTime> times = ubatch_times(times_of(planning), work);
    const auto own = std::ranges::find(times, first, &UbatchTime::n_ubatch);
    if (own == times.end()) return false;
    const auto fastest = std::ranges::min_element(times, {}, &UbatchTime::seconds);
    return may_pay_below(own->seconds, tier->winner()->prediction->bound_by, fastest->seconds);
}

Result<std::uint32_t> find_smaller_ubatch(const Options& options,
                                          const Machine& machine,
                                          const Job& job,
                                          Known& known) {
    const std::vector<Job> jobs = {job};
    Comparison comparison(options, machine, jobs, known);
    const Status done = comparison.run_below(candidates_of(jobs).front());
    if (!done) return done.error();
    return comparison.best().tokens;
}

Result<std::optional<UbatchTime>> find_fastest_ubatch(const Options& options,
                                                      const Machine& machine,
                                                      const std::vector<Job>& jobs,
                                                      Known& known) {
    if (machine.pricing() == nullptr) return std::optional<UbatchTime>();
    Comparison comparison(options, machine, jobs, known);
    if (const Status done = comparison.run(); !done) return done.error();
    return comparison.fastest();
}

}  // namespace pshard::tool
