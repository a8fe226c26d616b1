// What an explanation asks for beyond the plan: how each tier runs, and what other machines and
// budgets would bring. All of it is really planned.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "planner/planning.h"

namespace pshard {

struct DepthRate {
    std::uint32_t depth_tokens = 0;
    double tokens_per_second = 0;

    bool operator==(const DepthRate&) const = default;
};

struct TierStudy {
    TierPlan plan;
    TierDetail detail;              // of the winner; empty without one
    std::vector<DepthRate> depths;  // of the winner, from an empty to a full cache
};

// Studies each tier. Where stock llama.cpp holds everything, tiers are planned all the same, so
// that there is something to explain.
std::vector<TierStudy> study_tiers(const Planning& planning);

// The rates of one machine or budget, by tier as the studied plan has them.
struct Scenario {
    std::string name;    // "1 GiB more VRAM"
    std::string remark;  // what was changed; if it was not planned, why not
    Bytes budget = 0;
    std::vector<double> rates;       // tokens per second; 0: no plan. Empty: not planned
    std::vector<std::string> plans;  // by tier: the strategy's name; empty without a plan

    bool operator==(const Scenario&) const = default;
};

// Plans all tiers of the model again, with the machine or budget of `problem`.
Scenario plan_again(std::string name, const Problem& problem);

// Plans with `n` budgets in even steps, up to the one that holds the whole model in every tier.
std::vector<Scenario> sweep(const Planning& planning, int n);

}  // namespace pshard
