#include "planner/planning.h"

#include <algorithm>

#include "base/parallel.h"

namespace pshard {
namespace {

std::vector<StockRate> rates_of_stock(const Problem& problem) {
    const Inventory& inventory = problem.inventory;
    const PlanChoice everything = everything_resident(inventory.n_layers);
    std::vector<StockRate> rates;
    for (const Graph& graph : inventory.graphs) {
        Evaluator evaluator(problem, graph, LoadedBy::Stock);
        StockRate rate{
            graph.tier(), evaluator.evaluate(everything, kAsStock), std::nullopt, std::nullopt, {}};
        if (rate.resident.verdict != Verdict::Viable) continue;
        rate.empty = evaluator.predict_at(rate.resident, 0);
        rate.full = evaluator.predict_at(rate.resident, full_depth(inventory, graph));
        rate.times =
            evaluator.pass_times(rate.resident, {rate.empty, rate.resident.prediction, rate.full});
        rates.push_back(std::move(rate));
    }
    return rates;
}

// Leaves the graphs of dominated tiers out, so that all that is made of the plan has no such batch.
void leave_out_dominated(Planning& planning) {
    Inventory& inventory = planning.inventory;
    const std::vector<TierPlan>& dominated = planning.plan.dominated;
    std::erase_if(inventory.graphs, [&](const Graph& graph) {
        return std::ranges::count(dominated, graph.tier(), &TierPlan::key) > 0;
    });
    if (dominated.empty() || is_windowed(inventory)) return;
    planning.asked_ubatch = std::max(planning.asked_ubatch, inventory.context.n_ubatch);
    inventory.context.n_ubatch = planning.plan.cache_ubatch;
    inventory.context.n_batch = planning.plan.cache_ubatch;
}

}  // namespace

Problem problem_of(const Planning& planning) {
    return {planning.inventory,
            planning.profile,
            planning.budget.total - std::min(planning.budget.total, planning.budget.taken()),
            planning.depth_tokens,
            planning.host,
            planning.forced,
            planning.on_progress,
            planning.packed,
            planning.searched};
}

void find_tiers(Planning& planning) {
    const Problem problem = problem_of(planning);
    planning.plan = plan_variant(problem, planning.named_ubatch);
    planning.stock_rates.clear();
    planning.stock_fits.clear();
    planning.details.clear();
    if (planning.plan.baseline_vram) planning.stock_rates = rates_of_stock(problem);
    leave_out_dominated(planning);
}

void make_plan(Planning& planning) {
    find_tiers(planning);
    add_stock_fits(planning);
}

void add_stock_fits(Planning& planning) {
    const Problem problem = problem_of(planning);
    planning.stock_fits.resize(planning.plan.tiers.size());
    for_each_on_two_threads(planning.stock_fits.size(), [&](std::size_t i) {
        const Graph& graph = *graph_of_tier(planning.inventory, planning.plan.tiers[i].key);
        planning.stock_fits[i] = stock_fit(problem, graph);
    });
}

void add_details(Planning& planning) {
    const Problem problem = problem_of(planning);
    planning.details.clear();
    planning.details.resize(planning.plan.tiers.size());
    for_each_on_two_threads(planning.details.size(), [&](std::size_t i) {
        const TierPlan& tier = planning.plan.tiers[i];
        if (tier.winner() == nullptr) return;
        const Graph& graph = *graph_of_tier(planning.inventory, tier.key);
        planning.details[i] = Evaluator(problem, graph).detail(*tier.winner());
    });
}

bool is_viable(const Planning& planning) {
    return planning.plan.baseline_vram ||
           std::any_of(planning.plan.tiers.begin(),
                       planning.plan.tiers.end(),
                       [](const TierPlan& tier) { return tier.winner() != nullptr; });
}

}  // namespace pshard
