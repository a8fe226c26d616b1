// The fastest plan that fits, for one tier: no tier's result limits another's.
//
// Every strategy proposes choices by their bytes; the simulator prices them; the best are refined
// and evaluated exactly. The losers keep their numbers and reasons.
#pragma once

#include <functional>
#include <vector>

#include "search/evaluator.h"

namespace pshard {

struct TierPlan {
    TierKey key;
    // Viable candidates, best first; the first is the plan. Empty: no strategy fits. All are sized
    // and priced as PSHARD0 runs them, stock's own placement (STATIC_FITPARAMS) too. The plan and
    // the best published one are exact, the others estimated (Evaluator::estimate).
    std::vector<Candidate> viable;
    // The best of each strategy that has nothing viable, with the reason.
    std::vector<Candidate> refused;

    const Candidate* winner() const { return viable.empty() ? nullptr : &viable.front(); }

    // The best plan of a strategy that the published reader knows.
    const Candidate* published() const;

    // What the winner reaches with an empty KV cache, and with a full one.
    std::optional<Prediction> empty;
    std::optional<Prediction> full;

    // Its seconds at all depths.
    PassTimes times;
};

// Searches one tier over all strategies, or over the forced one. Without a profile the machine is
// assumed (unmeasured.h), or what is forced is ranked by memory.
TierPlan plan_tier(const Problem& problem, const Graph& graph);

// Whether a viable candidate may be the plan; empty: each may.
using MayWin = std::function<bool(const Candidate&)>;

// The same on the machine of the problem.
TierPlan search_tier(const Problem& problem, const Graph& graph, const MayWin& may_win);

}  // namespace pshard
