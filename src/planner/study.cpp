#include "planner/study.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/parallel.h"

namespace pshard {
namespace {

constexpr std::uint32_t kDepths = 9;  // of the curve

std::vector<DepthRate> depth_rates(Evaluator& evaluator,
                                   const Candidate& winner,
                                   std::uint32_t deepest) {
    std::vector<DepthRate> rates;
    for (std::uint32_t i = 0; i < kDepths; ++i) {
        const auto depth = static_cast<std::uint32_t>(std::uint64_t{deepest} * i / (kDepths - 1));
        const bool again = !rates.empty() && rates.back().depth_tokens == depth;
        const auto prediction = again ? std::nullopt : evaluator.predict_at(winner, depth);
        if (prediction) rates.push_back({depth, prediction->tokens_per_second});
    }
    return rates;
}

std::vector<TierPlan> tiers_of(const Planning& planning) {
    return planning.plan.tiers.empty() ? plan_tiers(problem_of(planning)) : planning.plan.tiers;
}

}  // namespace

std::vector<TierStudy> study_tiers(const Planning& planning) {
    const Problem problem = problem_of(planning);
    std::vector<TierPlan> tiers = tiers_of(planning);
    std::vector<TierStudy> studies(tiers.size());
    for_each_on_two_threads(tiers.size(), [&](std::size_t i) {
        TierStudy& study = studies[i];
        study.plan = std::move(tiers[i]);
        const Candidate* winner = study.plan.winner();
        if (winner == nullptr) return;
        const Graph& graph = *graph_of_tier(planning.inventory, study.plan.key);
        Evaluator evaluator(problem, graph);
        study.detail = evaluator.detail(*winner);
        study.depths = depth_rates(evaluator, *winner, full_depth(planning.inventory, graph));
    });
    return studies;
}

Scenario plan_again(std::string name, const Problem& problem) {
    Scenario scenario;
    scenario.name = std::move(name);
    scenario.budget = problem.budget;
    for (const TierPlan& tier : plan_tiers(problem)) {
        const Candidate* winner = tier.winner();
        const bool priced = winner != nullptr && winner->prediction;
        scenario.rates.push_back(priced ? winner->prediction->tokens_per_second : 0);
        scenario.plans.emplace_back(winner != nullptr ? strategy_name(winner->choice.strategy)
                                                      : std::string_view());
    }
    return scenario;
}

std::vector<Scenario> sweep(const Planning& planning, int n) {
    Bytes most = 0;
    for (const Graph& graph : planning.inventory.graphs) {
        most = std::max(most, all_resident_bytes(planning.inventory, graph));
    }
    std::vector<Scenario> scenarios;
    for (int i = 1; i <= n; ++i) {
        Problem problem = problem_of(planning);
        problem.budget = most / static_cast<Bytes>(n) * static_cast<Bytes>(i);
        if (i == n) problem.budget = most;
        scenarios.push_back(plan_again(fmt::format("{:.1f} MiB", in_mib(problem.budget)), problem));
    }
    return scenarios;
}

}  // namespace pshard
