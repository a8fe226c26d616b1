#include "search/tier_memo.h"

#include <algorithm>
#include <utility>

namespace pshard {

bool TierMemo::Searched::answers(const Problem& problem, const Graph& asked) const {
    return profile == problem.profile && budget == problem.budget &&
           depth_tokens == problem.depth_tokens && host == problem.host &&
           forced == problem.forced && states == problem.inventory.states && graph == asked;
}

TierPlan TierMemo::plan(const Problem& problem, const Graph& graph) {
    {
        const std::lock_guard lock(mutex_);
        ++asked_;
        const auto known = std::ranges::find_if(
            known_, [&](const Searched& each) { return each.answers(problem, graph); });
        if (known != known_.end()) return known->plan;
    }
    TierPlan plan = plan_tier(problem, graph);
    const std::lock_guard lock(mutex_);
    known_.push_back({problem.profile,
                      problem.budget,
                      problem.depth_tokens,
                      problem.host,
                      problem.forced,
                      problem.inventory.states,
                      graph,
                      plan});
    return plan;
}

TierMemo::Counts TierMemo::counts() const {
    const std::lock_guard lock(mutex_);
    return {asked_, known_.size()};
}

}  // namespace pshard
