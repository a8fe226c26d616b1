#include "report/report.h"

#include <algorithm>

namespace pshard {

Problem problem_of(const PlanReport& report) {
    return {report.inventory, report.profile, report.plan.budget,
            report.depth_tokens, report.host, report.forced};
}

bool is_viable(const PlanReport& report) {
    return report.plan.baseline_vram ||
           std::any_of(report.plan.tiers.begin(), report.plan.tiers.end(),
                       [](const TierPlan& tier) { return tier.winner() != nullptr; });
}

}  // namespace pshard
