#include "planner/planning.h"

#include <algorithm>

namespace pshard {
namespace {

std::vector<StockRate> rates_of_stock(const Problem& problem) {
    const Inventory& inventory = problem.inventory;
    const PlanChoice everything = everything_resident(inventory.n_layers);
    std::vector<StockRate> rates;
    for (const Graph& graph : inventory.graphs) {
        Evaluator evaluator(problem, graph);
        StockRate rate{
            graph.tier(), evaluator.evaluate(everything, kAsStock), std::nullopt, std::nullopt};
        if (rate.resident.verdict != Verdict::Viable) continue;
        rate.empty = evaluator.predict_at(rate.resident, 0);
        rate.full = evaluator.predict_at(rate.resident, full_depth(inventory, graph));
        rates.push_back(std::move(rate));
    }
    return rates;
}

}  // namespace

Problem problem_of(const Planning& planning) {
    return {planning.inventory,
            planning.profile,
            planning.budget.total - planning.budget.taken(),
            planning.depth_tokens,
            planning.host,
            planning.forced};
}

void make_plan(Planning& planning) {
    const Problem problem = problem_of(planning);
    planning.plan = plan_variant(problem);
    planning.stock_rates.clear();
    planning.stock_fits.clear();
    planning.details.clear();
    if (planning.plan.baseline_vram) planning.stock_rates = rates_of_stock(problem);
    for (const TierPlan& tier : planning.plan.tiers) {
        const Graph& graph = *graph_of_tier(planning.inventory, tier.key);
        planning.stock_fits.push_back(stock_fit(problem, graph));
    }
}

void add_details(Planning& planning) {
    const Problem problem = problem_of(planning);
    planning.details.clear();
    for (const TierPlan& tier : planning.plan.tiers) {
        TierDetail& detail = planning.details.emplace_back();
        if (tier.winner() == nullptr) continue;
        const Graph& graph = *graph_of_tier(planning.inventory, tier.key);
        detail = Evaluator(problem, graph).detail(*tier.winner());
    }
}

bool is_viable(const Planning& planning) {
    return planning.plan.baseline_vram ||
           std::any_of(planning.plan.tiers.begin(),
                       planning.plan.tiers.end(),
                       [](const TierPlan& tier) { return tier.winner() != nullptr; });
}

}  // namespace pshard
