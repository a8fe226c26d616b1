// A finished plan: what was asked, what was found, and the facts that reports print.
//
// make_plan() is the planner of the tools: it takes an inventory, a machine, a budget and a wish
// (depth, forced strategy, host memory) and fills in the rest. Reports print what stands here and
// search for nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/fingerprint.h"
#include "inventory/inventory.h"
#include "machine/machine_profile.h"
#include "search/search.h"

namespace pshard {

// Who takes what of the budget. The plan has the rest.
struct BudgetUse {
    Bytes total = 0;
    Bytes draft = 0;     // a draft model: weights, KV and scratch; the MTP context: KV and scratch
    Bytes mmproj = 0;    // a projector: tensors and allowance
    Bytes reserve = 0;   // left to others, as the user asked
    std::string origin;  // where `total` is from, in words

    [[nodiscard]] Bytes taken() const { return draft + mmproj + reserve; }

    bool operator==(const BudgetUse&) const = default;
};

// The whole model on the GPU in stock llama.cpp, in the graph of one tier.
struct StockRate {
    TierKey tier;
    Candidate resident;  // priced at the depth of the plan
    std::optional<Prediction> empty;
    std::optional<Prediction> full;
};

struct Planning {
    // What was asked.
    std::string model_path;  // of the model, or of its saved inventory
    Inventory inventory;
    BudgetUse budget;
    const MachineProfile* profile = nullptr;  // nullptr: ranked by memory
    HostLimits host;
    std::uint32_t depth_tokens = 0;
    int n_threads = 0;
    std::optional<Strategy> forced;

    // What make_plan() found.
    VariantPlan plan;
    std::vector<StockRate> stock_rates;  // by tier, where stock holds the whole model and it fits
    std::vector<std::optional<Candidate>> stock_fits;  // by plan.tiers: llama.cpp's own fit

    // What add_details() found: by plan.tiers, of the winners; empty where nobody asked.
    std::vector<TierDetail> details;

    // What became of it.
    std::optional<Hash64> fingerprint;      // of the registry's section
    std::string registry_path;              // empty: none was written
    std::optional<Seconds> verify_seconds;  // that the check of the plan took; nullopt: unchecked
    std::vector<std::string> notes;         // what the user should know, one sentence each
};

// What the plan is searched for; refers into `planning`.
Problem problem_of(const Planning& planning);

// Searches, and notes what stock llama.cpp would do.
void make_plan(Planning& planning);

// The lanes of each winner, step by step.
void add_details(Planning& planning);

// Whether a run has something to go by: a tier with a plan, or stock that holds everything.
bool is_viable(const Planning& planning);

}  // namespace pshard
