// The planner as a whole, for people who plan before a run: from what is asked to a finished plan.
//
// In: an inventory, a machine's profile, a budget and a wish (depth, forced strategy, host memory).
// Out: the plan of each tier, and every fact that reports print. Reports search for nothing: they
// read what stands here.
//
//   asked                       found
//   inventory  --+
//   profile    --+-> Problem -> plan_variant -> plan          the winner of each tier, its rivals,
//   budget     --+                     |                      the arena, what plan switches cost
//   wish       --+                     +-----> stock_rates    where stock holds the whole model
//                                      +-----> stock_fits     what llama.cpp's own --fit would do
//                              add_details() -> details       each winner step by step, on request
//
// The other halves of the planner: planner/tier_choice.h plans on the device, once a model is
// there; planner/registered_plan.h takes a plan that was kept; planner/static_plan.h finds the best
// flags of stock llama.cpp; planner/study.h plans other machines and budgets for explanations.
//
// The traps: the budget of a plan is what the budget's sharers leave, so the registry's variant
// (all of it) and the arena (the rest) differ. A plan refers to the profile that it was made for,
// which must outlive it. Where stock holds everything there are no tiers: every reader asks
// plan.baseline_vram first. A plan has no tiers that are dominated, and then its inventory is as if
// captured for a smaller ubatch; where sliding windows size the cache by the ubatch, it is not that
// of such a capture, and the caller captures anew for plan.cache_ubatch.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fingerprint.h"
#include "base/progress.h"
#include "inventory/inventory.h"
#include "machine/machine_profile.h"
#include "search/search.h"

namespace pshard {

// What others take of the budget. The plan has the rest.
struct BudgetUse {
    Bytes total = 0;
    Bytes draft = 0;    // a draft model: weights, KV and scratch; the MTP context: KV and scratch
    Bytes mmproj = 0;   // a projector: tensors and allowance
    Bytes reserve = 0;  // left to others, as the user asked
    Bytes pools = 0;    // what the device allocates beside the arena (ops/cuda_pool.h)
    std::optional<Hash64> sharers{};  // of what these are; nullopt: there are none
    std::string origin;               // where `total` comes from, in words

    [[nodiscard]] Bytes taken() const { return draft + mmproj + reserve + pools; }

    bool operator==(const BudgetUse&) const = default;
};

// The whole model on the GPU in stock llama.cpp, in the graph of one tier.
struct StockRate {
    TierKey tier;
    Candidate resident;  // priced at the depth of the plan
    std::optional<Prediction> empty;
    std::optional<Prediction> full;
    PassTimes times;
};

struct Planning {
    // What was asked.
    std::string model_path;  // the model, or its saved inventory
    Inventory inventory;
    BudgetUse budget;
    const MachineProfile* profile = nullptr;  // nullptr: nobody has measured it
    HostLimits host;
    std::uint32_t depth_tokens = 0;
    int n_threads = 0;
    std::optional<Strategy> forced;
    OnProgress on_progress{};  // told of tiers that make_plan() has planned
    std::shared_ptr<PackingMemo> packed = std::make_shared<PackingMemo>();
    std::shared_ptr<TierMemo> searched{};  // tiers of other plannings of the model; nullptr: none
    std::optional<std::uint32_t> named_ubatch;  // its tier stays, even if it is dominated
    std::uint32_t asked_ubatch = 0;  // the largest tier of the wish, if it was left out; else 0

    // Hashes of the states (registry/pshard_lines.h) of the same context with smaller ubatches,
    // where their caches are smaller: the plan serves such runs, too.
    std::vector<Hash64> smaller_states;
    std::uint32_t faster_ubatch = 0;  // than the one that the user has named; 0: none is

    // What make_plan() found.
    VariantPlan plan;
    std::vector<StockRate> stock_rates;  // by tier, where stock holds the whole model and it fits
    std::vector<std::optional<Candidate>> stock_fits;  // by plan.tiers: llama.cpp's own fit

    // What add_details() found of each winner, by plan.tiers; empty if nobody asked.
    std::vector<TierDetail> details;

    // What became of it.
    std::optional<Hash64> fingerprint;      // of the registry's section
    std::string registry_path;              // empty: none was written
    std::optional<Seconds> verify_seconds;  // what the check of the plan took; nullopt: unchecked
    std::vector<std::string> notes;         // what the user should know, one sentence each
};

// What the plan is searched for; refers into `planning`.
Problem problem_of(const Planning& planning);

// Finds the plan of each tier, or stock's rates if it holds everything. Drops what was found
// before.
void find_tiers(Planning& planning);

// Finds what llama.cpp's own fit would do in the tiers of the plan, for reports and registries.
void add_stock_fits(Planning& planning);

// Finds the plan, and what stock llama.cpp would do. Drops what was found before.
void make_plan(Planning& planning);

// Finds what each winner does, step by step.
void add_details(Planning& planning);

// Whether there is a plan to run: a tier has one, or stock holds everything.
bool is_viable(const Planning& planning);

}  // namespace pshard
