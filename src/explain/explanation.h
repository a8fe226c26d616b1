// Why a plan is what it is, how good it can get, and what would make it better: as plain values.
//
//   explain_plan    tiers, their lanes step by step, their lower bounds, rates by depth
//   compare         what was measured (a trace) against what was predicted
//
// What other machines and budgets would bring was planned before (planner/study.h). The texts are
// in explain/forms.h.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "explain/lower_bound.h"
#include "planner/study.h"
#include "trace/trace.h"

namespace pshard {

// A step that ran, of a predicted or measured pass.
struct ShownStep {
    ScheduleLane lane = ScheduleLane::Gpu;
    std::string kind;  // "load", "compute", "store"
    std::string name;  // plan/step_labels.h
    Seconds begin = 0;
    Seconds end = 0;
    Bytes bytes = 0;

    bool operator==(const ShownStep&) const = default;
};

struct ShownPass {
    std::vector<ShownStep> steps;
    Seconds end = 0;
    std::array<Seconds, kScheduleLanes> busy{};  // by ScheduleLane

    bool operator==(const ShownPass&) const = default;
};

ShownPass shown(const TracedPass& pass);

// Where a layer's two sides lie in a tier: the lane that holds most bytes of each.
struct LayerLanes {
    Lane attention = Lane::Gpu;
    Lane ffn = Lane::Gpu;

    bool operator==(const LayerLanes&) const = default;
};

struct ExplainedTier {
    TierPlan plan;
    std::vector<LayerLanes> layers;            // one for each layer
    TracedPass pass;                           // predicted, from a cold start; empty: no profile
    std::optional<LowerBound> bound;           // Overlap::Any
    std::optional<LowerBound> bound_in_order;  // Overlap::InOrder
    std::vector<DepthRate> depths;             // of the winner, from an empty to a full cache

    // The share of the bound in the predicted time, 0 to 1; nullopt without either.
    [[nodiscard]] std::optional<double> reached(const std::optional<LowerBound>& of) const;
};

// The passes of a trace that ran in one tier over the same number of tokens: those that fill the
// tier, else those of the commonest number.
struct MeasuredTier {
    TierKey tier;
    std::uint32_t n_tokens = 0;  // of each pass
    std::size_t n_passes = 0;
    std::size_t n_others = 0;    // passes of the tier over other numbers of tokens
    Seconds median_seconds = 0;  // of a pass, from its begin to the end of its last step
    ShownPass pass;              // a pass that took median_seconds
    bool same_schedule = false;  // each lane did what was predicted, step by step
    // nullopt: no such tier, no profile, or the passes do not fill the tier.
    std::optional<Seconds> predicted_seconds;

    bool operator==(const MeasuredTier&) const = default;
};

struct Measured {
    std::string program;
    std::string device;
    std::string model;
    std::vector<MeasuredTier> tiers;  // in the order of their keys
    std::size_t n_foreign = 0;        // passes of other models, which are left out
    bool cut_off = false;             // the trace ends within a pass

    bool operator==(const Measured&) const = default;
};

struct Explanation {
    const Planning& planning;
    std::vector<ExplainedTier> tiers;
    std::vector<Scenario> changes;  // what more would bring, then what the user asked for
    std::vector<Scenario> budgets;  // ascending; empty: not asked for
    std::optional<Measured> measured;
};

// `planning` must outlive the explanation; `studies` are of its tiers (study_tiers()).
Explanation explain_plan(const Planning& planning, std::vector<TierStudy> studies);

// Holds a trace against the plan. Passes that do not name their model count as this one's.
Measured compare(const Trace& trace, const Explanation& explanation);

}  // namespace pshard
