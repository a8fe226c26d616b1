#include "report/report.h"

#include <algorithm>

namespace pshard {

Problem problem_of(const PlanReport& report) {
    return {report.inventory,
            report.profile,
            report.plan.budget,
            report.depth_tokens,
            report.host,
            report.forced};
}

bool is_viable(const PlanReport& report) {
    return report.plan.baseline_vram ||
           std::any_of(report.plan.tiers.begin(),
                       report.plan.tiers.end(),
                       [](const TierPlan& tier) { return tier.winner() != nullptr; });
}

std::vector<StockRate> stock_rates(const PlanReport& report) {
    PlanChoice everything;
    everything.strategy = Strategy::StaticFitParams;
    everything.n_pinned = report.inventory.n_layers;
    everything.n_attn_pinned = report.inventory.n_layers;
    everything.output_on_gpu = true;
    everything.pin_from_back = true;
    const Problem problem = problem_of(report);
    std::vector<StockRate> rates;
    for (const Graph& graph : report.inventory.graphs) {
        Evaluator evaluator(problem, graph);
        StockRate rate{
            graph.tier(), evaluator.evaluate(everything, kAsStock), std::nullopt, std::nullopt};
        if (rate.resident.verdict != Verdict::Viable) continue;
        rate.empty = evaluator.predict_at(rate.resident, 0);
        rate.full = evaluator.predict_at(rate.resident, full_depth(report.inventory, graph));
        rates.push_back(std::move(rate));
    }
    return rates;
}

}  // namespace pshard
