#include <fmt/format.h>

#include "explain/forms.h"
#include "report/words.h"

namespace pshard {
namespace {

class Lines {
public:
    void add(std::string_view table,
             const TierKey& tier,
             std::string_view name,
             std::string_view figure,
             double value) {
        text_ +=
            fmt::format("{},{},{},{},{}\n", table, to_text(tier), csv_cell(name), figure, value);
    }

    std::string take() { return std::move(text_); }

private:
    std::string text_ = "table,tokens,name,figure,value\n";
};

void add_pass(Lines& lines, std::string_view table, const TierKey& tier, const ShownPass& pass) {
    for (std::size_t i = 0; i < pass.busy.size(); ++i) {
        const std::string lane = lane_name(ScheduleLane::at(i));
        lines.add(table, tier, lane, "busy_seconds", pass.busy[i]);
    }
}

void add_tier(Lines& lines, const ExplainedTier& tier) {
    const TierKey& key = tier.plan.key;
    const auto add_bound = [&](std::string_view name, const std::optional<LowerBound>& bound) {
        if (bound) lines.add("lower_bound", key, name, "seconds", bound->seconds);
    };
    add_bound("any_order", tier.bound);
    add_bound("in_order", tier.bound_in_order);
    const Candidate* winner = tier.plan.winner();
    if (winner == nullptr) return;
    const std::string_view name = strategy_name(winner->choice.strategy);
    if (const auto& prediction = winner->prediction) {
        lines.add("tier", key, name, "tokens_per_second", prediction->tokens_per_second);
        lines.add("tier", key, name, "pass_seconds", prediction->pass_seconds);
    }
    const MemoryUse& memory = winner->memory;
    lines.add("tier", key, name, "device_bytes", static_cast<double>(memory.device.total()));
    lines.add("tier", key, name, "host_bytes", static_cast<double>(memory.host.total()));
    add_pass(lines, "lane", key, shown(tier.pass));
    for (const DepthRate& rate : tier.depths) {
        lines.add("depth",
                  key,
                  fmt::format("{}", rate.depth_tokens),
                  "tokens_per_second",
                  rate.tokens_per_second);
    }
}

void add_scenario(Lines& lines,
                  std::string_view table,
                  const Explanation& explanation,
                  const Scenario& scenario) {
    for (std::size_t i = 0; i < scenario.rates.size(); ++i) {
        const TierKey tier = explanation.planning.inventory.graphs[i].tier();
        lines.add(table, tier, scenario.name, "tokens_per_second", scenario.rates[i]);
    }
}

}  // namespace

std::string explanation_csv(const Explanation& explanation) {
    Lines lines;
    for (const ExplainedTier& tier : explanation.tiers) add_tier(lines, tier);
    for (const Scenario& change : explanation.changes) {
        add_scenario(lines, "change", explanation, change);
    }
    for (const Scenario& budget : explanation.budgets) {
        add_scenario(lines, "budget", explanation, budget);
    }
    if (!explanation.measured) return lines.take();
    for (const MeasuredTier& tier : explanation.measured->tiers) {
        const std::string name = fmt::format("median of {} tokens", tier.n_tokens);
        lines.add("measured", tier.tier, name, "pass_seconds", tier.median_seconds);
        if (tier.predicted_seconds) {
            lines.add("measured", tier.tier, "predicted", "pass_seconds", *tier.predicted_seconds);
        }
        add_pass(lines, "measured_lane", tier.tier, tier.pass);
    }
    return lines.take();
}

}  // namespace pshard
