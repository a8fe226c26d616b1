#include <algorithm>

#include <fmt/format.h>

#include "base/visible.h"
#include "explain/forms.h"
#include "report/report.h"
#include "report/words.h"

namespace pshard {
namespace {

std::string percent(double share) { return fmt::format("{:.0f} %", 100 * share); }

std::string milliseconds(Seconds seconds) {
    return fmt::format("{:.{}f}", 1e3 * seconds, seconds < 0.01 ? 3 : 1);
}

// The lane with the highest price (Overlap::Any): a second less of work is worth most there.
std::string binding_lane(const Prices& prices) {
    if (prices.first >= std::max(prices.second, prices.link)) return "GPU";
    return prices.link >= prices.second ? "link" : "CPU";
}

std::string bound_text(const std::optional<LowerBound>& bound) {
    return bound ? milliseconds(bound->seconds) : "-";
}

std::string reached_text(const std::optional<double>& reached) {
    return reached ? percent(*reached) : "-";
}

// The lanes' shares of `seconds`, in their order.
std::vector<std::string> shares(const ShownPass& pass, Seconds seconds) {
    std::vector<std::string> texts;
    for (const Seconds busy : pass.busy)
        texts.push_back(seconds > 0 ? percent(busy / seconds) : "-");
    return texts;
}

Row bounds_row(const ExplainedTier& tier) {
    const Prediction* prediction = prediction_of(tier.plan);
    const auto lanes = shares(shown(tier.pass), prediction ? prediction->pass_seconds : 0);
    return {to_text(tier.plan.key),
            prediction ? milliseconds(prediction->pass_seconds) : "-",
            lanes[0],
            lanes[1],
            lanes[2],
            lanes[3],
            prediction ? std::string(bound_name(prediction->bound_by)) : "-",
            bound_text(tier.bound_in_order),
            reached_text(tier.reached(tier.bound_in_order)),
            bound_text(tier.bound),
            reached_text(tier.reached(tier.bound)),
            tier.bound ? binding_lane(tier.bound->prices) : "-"};
}

std::string bounds_section(const Explanation& explanation) {
    if (explanation.planning.profile == nullptr) return "";
    std::vector<Row> rows = {{"tokens",
                              "pass ms",
                              "GPU",
                              "upload",
                              "download",
                              "CPU",
                              "bound by",
                              "in order ms",
                              "reached",
                              "any order ms",
                              "reached",
                              "binding"}};
    for (const ExplainedTier& tier : explanation.tiers) rows.push_back(bounds_row(tier));
    std::vector<bool> flush_right(rows[0].size(), true);
    flush_right[6] = flush_right[11] = false;
    return "\n## What bounds each tier, and how far it is from the best\n\n"
           "The lanes' shares of a pass, then two times that no plan can beat. In order: GPU and "
           "CPU take turns, as llama.cpp's graphs run. Any order: GPU, CPU and link side by side. "
           "Both follow from the profile's rates: every node runs on one of the processors, and "
           "what the GPU reads is resident or crosses the link; launches of stages, hand-overs, "
           "scratch and slots are left out, so the rest to 100 % need not be reachable.\n\n" +
           markdown_table(rows, flush_right);
}

std::string rate_cell(double rate, double before) {
    if (rate <= 0) return "no plan";
    const double gain = before > 0 ? 100 * (rate / before - 1) : 0;
    if (before <= 0) return rate_text(rate);
    return fmt::format("{} ({:+.0f} %)", rate_text(rate), std::abs(gain) < 0.5 ? 0 : gain);
}

std::string scenarios_table(const Explanation& explanation,
                            std::string_view head,
                            const std::vector<Scenario>& scenarios,
                            bool compares) {
    std::vector<Row> rows = {{std::string(head)}};
    for (const Graph& graph : explanation.planning.inventory.graphs) {
        rows[0].push_back(fmt::format("{} tok", to_text(graph.tier())));
    }
    for (const Scenario& scenario : scenarios) {
        if (scenario.rates.empty()) continue;
        Row& row = rows.emplace_back(1, visible(scenario.name));
        for (std::size_t i = 0; i < scenario.rates.size(); ++i) {
            const double now = compares ? rate_of(explanation.tiers[i].plan) : 0;
            row.push_back(rate_cell(scenario.rates[i], now));
        }
    }
    if (rows.size() == 1) return "";
    std::vector<bool> flush_right(rows[0].size(), true);
    flush_right[0] = false;
    return markdown_table(rows, flush_right);
}

std::string remarks(const std::vector<Scenario>& scenarios) {
    std::string text;
    for (const Scenario& scenario : scenarios) {
        if (!scenario.remark.empty())
            text += fmt::format("- {}: {}\n", visible(scenario.name), visible(scenario.remark));
    }
    return text.empty() ? text : "\n" + text;
}

std::string changes_section(const Explanation& explanation) {
    if (explanation.changes.empty()) return "";
    return "\n## What more would bring\n\nTokens per second, each planned again for the changed "
           "machine.\n\n" +
           scenarios_table(explanation, "change", explanation.changes, true) +
           remarks(explanation.changes);
}

std::string budgets_section(const Explanation& explanation) {
    if (explanation.budgets.empty()) return "";
    return "\n## Tokens per second over the budget\n\n" +
           scenarios_table(explanation, "budget", explanation.budgets, false);
}

// Tells what else the trace holds.
std::string left_out(const Measured& measured) {
    std::size_t n_others = 0;
    bool partial = false;
    for (const MeasuredTier& tier : measured.tiers) {
        n_others += tier.n_others;
        partial = partial || tier.n_tokens != tier.tier.n_tokens;
    }
    std::string text;
    if (partial) text += "- A pass that does not fill its tier is not predicted.\n";
    if (n_others > 0) text += fmt::format("- Passes of other numbers of tokens: {}.\n", n_others);
    if (measured.n_foreign > 0)
        text += fmt::format("- Passes of other models: {}.\n", measured.n_foreign);
    if (measured.cut_off) text += "- The trace ends within a pass, which is left out.\n";
    return text.empty() ? text : "\n" + text;
}

std::string measured_section(const Explanation& explanation) {
    if (!explanation.measured) return "";
    const Measured& measured = *explanation.measured;
    std::vector<Row> rows = {{"tier",
                              "tokens",
                              "passes",
                              "measured ms",
                              "predicted ms",
                              "measured / predicted",
                              "GPU",
                              "upload",
                              "download",
                              "CPU",
                              "steps"}};
    for (const MeasuredTier& tier : measured.tiers) {
        const auto lanes = shares(tier.pass, tier.median_seconds);
        const auto& predicted = tier.predicted_seconds;
        rows.push_back({to_text(tier.tier),
                        std::to_string(tier.n_tokens),
                        std::to_string(tier.n_passes),
                        milliseconds(tier.median_seconds),
                        predicted ? milliseconds(*predicted) : "-",
                        predicted ? fmt::format("{:.2f}", tier.median_seconds / *predicted) : "-",
                        lanes[0],
                        lanes[1],
                        lanes[2],
                        lanes[3],
                        tier.same_schedule ? "as predicted" : "another"});
    }
    std::vector<bool> flush_right(rows[0].size(), true);
    flush_right.back() = false;
    return fmt::format(
        "\n## Predicted against measured\n\n{} on {}: of each tier's full passes, else of those of "
        "its commonest number of tokens, the one of the median time, from its begin to the end of "
        "its last step; lanes as shares of it.\n\n{}{}",
        visible(measured.program),
        measured.device.empty() ? "an unnamed device" : visible(measured.device),
        markdown_table(rows, flush_right),
        left_out(measured));
}

}  // namespace

std::string explanation_markdown(const Explanation& explanation) {
    const std::string why = explain(explanation.planning);
    return to_markdown(explanation.planning) + (why.empty() ? "" : "\n" + why) +
           bounds_section(explanation) + changes_section(explanation) +
           budgets_section(explanation) + measured_section(explanation);
}

}  // namespace pshard
