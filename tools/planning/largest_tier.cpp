// Compares largest tiers, each in a capture of its own.
//
// In: the jobs, with all tiers. Out: the largest tier that all of them shall have.
//
//   largest tier   512       1024      2048  ...      each: capture two graphs, one token of each
//                   |          |         |            sequence and a ubatch of the prompt
//                   v          v         v
//              find_tiers -> seconds of prompt and answer
//                   \          |         /
//                    the largest of those within 1 % of the least: the cache may as well serve
//                    longer prompts than the one that is weighed
//
// Both tiers of the one that is chosen are searched: they are in the TierMemo of the plan that
// follows. Where nothing fits, nothing larger does either, and the comparison ends: the refusal is
// that of the smallest.
//
// A ubatch that the user has named is held against all of them and the tier below, in models of any
// kind, only for a note: it stays.
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

struct Timed {
    UbatchTime time;  // with that largest tier
    Hash64 states{};  // of the last job
};

class Comparison {
public:
    Comparison(const Options& options,
               const Machine& machine,
               const std::vector<Job>& jobs,
               Known& known)
        : options_(options), machine_(machine), jobs_(jobs), known_(known) {
        known_.tiers = std::make_shared<TierMemo>();
    }

    Status run() {
        const std::vector<std::uint32_t> sizes = candidates_of(jobs_);
        n_sizes_ = sizes.size();
        for (n_compared_ = 0; n_compared_ < n_sizes_; ++n_compared_) {
            const std::uint32_t largest = sizes[n_compared_];
            const Result<bool> timed = time(largest);
            if (!timed) return timed.error();
            if (!timed.value() && lacks_memory_) break;
            if (!timed.value()) continue;
            if (largest > prompt_ && timed_.back().time.seconds > least() * kAsGood) break;
        }
        return Done{};
    }

    // The fastest of all and of that one.
    Result<std::optional<UbatchTime>> fastest_and(std::uint32_t other) {
        if (const Status done = run(); !done) return done.error();
        if (std::ranges::count(timed_, other, n_ubatch_of) == 0) {
            if (const Result<bool> timed = time(other); !timed) return timed.error();
        }
        std::optional<UbatchTime> fastest;
        for (const Timed& timed : timed_) {
            if (!fastest || timed.time.seconds < fastest->seconds) fastest = timed.time;
        }
        return fastest;
    }

    [[nodiscard]] LargestTier best() const {
        if (timed_.empty() && lacks_memory_) return {candidates_of(jobs_).front(), {}, {}};
        if (timed_.empty()) return unpriced();
        std::uint32_t best = 0;
        std::vector<std::string> times;
        for (const Timed& timed : timed_) {
            const auto& [n_ubatch, seconds] = timed.time;
            if (seconds <= least() * kAsGood) best = n_ubatch;
            times.push_back(fmt::format("{:.3g} s with -ub {}", seconds, n_ubatch));
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
    static std::uint32_t n_ubatch_of(const Timed& timed) { return timed.time.n_ubatch; }

    [[nodiscard]] std::vector<Hash64> smaller_states(std::uint32_t largest) const {
        std::vector<Hash64> states;
        for (const Timed& timed : timed_) {
            if (timed.time.n_ubatch < largest && jobs_.size() == 1) states.push_back(timed.states);
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

    [[nodiscard]] Seconds least() const {
        Seconds least = timed_.front().time.seconds;
        for (const Timed& timed : timed_) least = std::min(least, timed.time.seconds);
        return least;
    }

    [[nodiscard]] const char* what_grows() const {
        return has_drafting_context(options_) ? "what drafts" : "the cache of this model";
    }

    [[nodiscard]] LargestTier unpriced() const {
        const std::uint32_t largest = std::min(kUnpriced, candidates_of(jobs_).back());
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

    // Whether all jobs have a time with that largest tier: then it is in timed_.
    Result<bool> time(std::uint32_t largest) {
        const Result<std::optional<Seconds>> seconds = seconds_of(largest);
        if (!seconds) return seconds.error();
        if (seconds.value()) {
            const auto after = std::ranges::upper_bound(timed_, largest, {}, n_ubatch_of);
            timed_.insert(after, {{largest, *seconds.value()}, states_});
        }
        return seconds.value().has_value();
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
        states_ = states_hash(inventory.value().states);
        const auto budget = budget_use(options_, machine_, job.context);
        if (!budget) return budget.error();
        lacks_memory_ = std::holds_alternative<Refusal>(budget.value());
        if (lacks_memory_) return std::optional<Seconds>();
        Planning planning = wished_plan(options_,
                                        machine_,
                                        job,
                                        std::move(inventory).value(),
                                        std::get<BudgetUse>(budget.value()));
        planning.named_ubatch = prompt;
        planning.packed = known_.packed;
        planning.searched = known_.tiers;
        find_tiers_shown(planning);
        lacks_memory_ = std::ranges::any_of(
            planning.plan.tiers, [](const TierPlan& tier) { return tier.winner() == nullptr; });
        return planned_seconds(times_of(planning), work_, job.context.n_ubatch);
    }

    // Shows how many sizes are compared, but not while a child reads the model: it shows that.
    void find_tiers_shown(Planning& planning) const {
        SlowNotice notice("comparing batch sizes", "sizes");
        notice.show(n_compared_, n_sizes_);
        find_tiers(planning);
    }

    const Options& options_;
    const Machine& machine_;
    const std::vector<Job>& jobs_;
    Known& known_;
    std::size_t n_sizes_ = 0;
    std::size_t n_compared_ = 0;
    std::vector<Timed> timed_;   // ascending by ubatch
    Hash64 states_{};            // of the last job
    Workload work_;              // of the last job
    std::uint32_t prompt_ = 0;   // the largest tier that a prompt is computed in
    bool lacks_memory_ = false;  // a tier of the last job has no plan
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
    if (machine.pricing() != nullptr) {
        if (const Status done = comparison.run(); !done) return done.error();
    }
    return comparison.best();
}

Result<std::optional<UbatchTime>> find_fastest_ubatch(const Options& options,
                                                      const Machine& machine,
                                                      const std::vector<Job>& jobs,
                                                      Known& known) {
    if (machine.pricing() == nullptr) return std::optional<UbatchTime>();
    const std::vector<std::uint32_t>& tiers = jobs.front().tiers;
    const auto prompts = std::ranges::lower_bound(tiers, kFirstPromptTier);
    const std::uint32_t below = prompts == tiers.begin() ? tiers.front() : *(prompts - 1);
    return Comparison(options, machine, jobs, known).fastest_and(below);
}

}  // namespace pshard::tool
