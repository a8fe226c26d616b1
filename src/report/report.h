// A finished plan as text: for people, for programs, and why it is what it is.
//
//   to_markdown    a table of the tiers                explain      rivals, memory, switches, lanes
//   to_json, to_json_lines, to_csv                     docs/cli/llama-pshard-plan-params.md
//
// Every rate in tokens per second names the depth (tokens in the KV cache) that it holds for.
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

struct PlanReport {
    std::string model_path;  // of the model, or of its saved inventory
    Inventory inventory;
    VariantPlan plan;
    BudgetUse budget;
    const MachineProfile* profile = nullptr;  // nullptr: ranked by memory
    HostLimits host;
    std::uint32_t depth_tokens = 0;
    int n_threads = 0;
    std::optional<Strategy> forced;
    std::optional<Hash64> fingerprint;  // of the registry's section
    std::string registry_path;          // empty: none was written
    std::vector<std::string> notes;     // what the user should know, one sentence each
};

// What the plan was searched for; refers into the report.
Problem problem_of(const PlanReport& report);

// Whether a run has something to go by: a tier with a plan, or stock that holds everything.
bool is_viable(const PlanReport& report);

// The whole model on the GPU in stock llama.cpp, in the graph of one tier.
struct StockRate {
    TierKey tier;
    Candidate resident;  // priced at the report's depth
    std::optional<Prediction> empty;
    std::optional<Prediction> full;
};

// By tier, where stock holds everything (VariantPlan::baseline_vram) and with ubatches that fit.
std::vector<StockRate> stock_rates(const PlanReport& report);

std::string to_markdown(const PlanReport& report);
std::string explain(const PlanReport& report);
std::string to_json(const std::vector<PlanReport>& reports);        // one document
std::string to_json_lines(const std::vector<PlanReport>& reports);  // one line for each report
std::string to_csv(const std::vector<PlanReport>& reports);         // one line for each tier

}  // namespace pshard
