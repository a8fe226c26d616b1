#include <fmt/format.h>

#include "report/report.h"
#include "report/words.h"

namespace pshard {
namespace {

constexpr std::string_view kColumns =
    "model,n_ctx,budget_mib,depth,tokens,viable,strategy,n_pinned,n_attn_pinned,overflow,"
    "output_on_gpu,pin_from_back,tps_empty,tps,tps_full,bound_by,extrapolated,vram_mib,host_mib\n";

std::string number(const std::optional<Prediction>& prediction) {
    return prediction ? fmt::format("{:.4f}", prediction->tokens_per_second) : "";
}

std::string plan_columns(const TierPlan& tier, const Candidate& plan) {
    const PlanChoice& choice = plan.choice;
    const auto& prediction = plan.prediction;
    return fmt::format("{},{},{},{},{},{},{},{},{},{},{},{:.1f},{:.1f}",
                       strategy_name(choice.strategy),
                       choice.n_pinned,
                       choice.n_attn_pinned,
                       overflow_name(choice.overflow),
                       int{choice.output_on_gpu},
                       int{choice.pin_from_back},
                       number(tier.empty),
                       number(prediction),
                       number(tier.full),
                       prediction ? bound_name(prediction->bound_by) : "",
                       prediction ? std::to_string(int{prediction->extrapolated}) : "",
                       in_mib(plan.memory.device.total()),
                       in_mib(plan.memory.host.total()));
}

std::string line_of(const Planning& planning, const TierPlan& tier) {
    const Candidate* plan = tier.winner();
    return fmt::format("{},{},{:.1f},{},{},{},{}\n",
                       csv_cell(planning.model_path),
                       planning.inventory.context.n_ctx,
                       in_mib(planning.budget.total),
                       planning.depth_tokens,
                       to_text(tier.key),
                       int{plan != nullptr},
                       plan != nullptr ? plan_columns(tier, *plan) : ",,,,,,,,,,,,");
}

}  // namespace

std::string to_csv(const std::vector<Planning>& plannings) {
    std::string text(kColumns);
    for (const Planning& planning : plannings) {
        for (const TierPlan& tier : tiers_of(planning)) text += line_of(planning, tier);
    }
    return text;
}

}  // namespace pshard
