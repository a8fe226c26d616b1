// Plans of tiers that were searched before, in problems of the same model.
#pragma once

#include <mutex>
#include <vector>

#include "search/tier_search.h"

namespace pshard {

// Keeps the plan of each tier with all that it follows from. Serves several threads.
class TierMemo {
public:
    // What plan_tier() gives, searched only if no equal problem was asked before.
    TierPlan plan(const Problem& problem, const Graph& graph);

    // How many plans were asked for, and how many were searched.
    struct Counts {
        std::size_t asked = 0;
        std::size_t searched = 0;
    };

    Counts counts() const;

private:
    struct Searched {
        const MachineProfile* profile = nullptr;
        Bytes budget = 0;
        std::uint32_t depth_tokens = 0;
        HostLimits host;
        std::optional<Strategy> forced;
        std::vector<State> states;
        Graph graph;
        TierPlan plan{};

        bool answers(const Problem& problem, const Graph& asked) const;
    };

    mutable std::mutex mutex_;
    std::vector<Searched> known_;
    std::size_t asked_ = 0;
};

}  // namespace pshard
