#include <algorithm>
#include <cmath>
#include <optional>

#include <fmt/format.h>

#include "base/counted.h"
#include "base/visible.h"
#include "cost/transfer.h"
#include "report/report.h"
#include "report/words.h"

namespace pshard {
namespace {

constexpr int kLaneColumns = 72;

std::string plan_title(const TierPlan& tier, const Candidate& plan) {
    return fmt::format(
        "### {}: {}\n\n", counted(to_text(tier.key), "token"), strategy_name(plan.choice.strategy));
}

// Whether no candidate is faster. One that is faster by very little loses to one that streams less.
bool is_fastest(const TierPlan& tier, const Candidate& plan) {
    return std::none_of(tier.viable.begin(), tier.viable.end(), [&](const Candidate& other) {
        return other.prediction &&
               other.prediction->tokens_per_second > plan.prediction->tokens_per_second;
    });
}

std::string why_it_won(const TierPlan& tier, const Candidate& plan) {
    const std::string choice = choice_text(plan.choice);
    if (!plan.prediction) {
        return fmt::format("- {}: keeps the most of the model on the GPU of all that fit\n",
                           choice);
    }
    return fmt::format(
        "- {}: {} t/s at depth {}, {} of {} that fit; {:.1f} ms for a "
        "pass, most of its work on: {}\n",
        choice,
        rate_text(plan.prediction),
        plan.prediction->depth_tokens,
        is_fastest(tier, plan)
            ? "the fastest"
            : fmt::format("within {} % of the fastest and streaming the least,", 100 * kEqualShare),
        tier.viable.size(),
        1e3 * plan.prediction->pass_seconds,
        bound_name(plan.prediction->bound_by));
}

std::string slower_text(const Prediction& rival, const Prediction& plan) {
    const double percent = 100 * (1 - rival.tokens_per_second / plan.tokens_per_second);
    return percent < 0.05 ? "as fast, the rest decided" : fmt::format("{:.1f} % slower", percent);
}

std::string why_it_lost(const Candidate& rival, const Candidate& plan) {
    const std::string name =
        fmt::format("{} ({})", strategy_name(rival.choice.strategy), choice_text(rival.choice));
    if (rival.verdict != Verdict::Viable)
        return fmt::format("- {}: {}\n", name, visible(rival.reason));
    if (!rival.prediction || !plan.prediction) {
        return fmt::format("- {}: keeps less of the model on the GPU, {} MiB\n",
                           name,
                           mib_text(rival.memory.device.total()));
    }
    return fmt::format("- {}: {} t/s, {}; {:.1f} ms for a pass, bound by {}; {} MiB\n",
                       name,
                       rate_text(rival.prediction),
                       slower_text(*rival.prediction, *plan.prediction),
                       1e3 * rival.prediction->pass_seconds,
                       bound_name(rival.prediction->bound_by),
                       mib_text(rival.memory.device.total()));
}

std::string rivals_text(const TierPlan& tier, const Candidate& plan) {
    std::string text;
    for (const Candidate* rival : best_rivals(tier)) text += why_it_lost(*rival, plan);
    for (const Candidate& refused : tier.refused) text += why_it_lost(refused, plan);
    return text;
}

std::string against(const Prediction& stock, const Prediction& plan) {
    const double percent = 100 * (stock.tokens_per_second / plan.tokens_per_second - 1);
    return fmt::format("{:.1f} % {}", std::abs(percent), percent < 0 ? "slower" : "faster");
}

// The line on stock's own fit. It is no rival, since PSHARD0 does no op-offload.
std::string stock_text(const std::optional<Candidate>& stock, const Candidate& plan) {
    if (!stock || !stock->prediction || !plan.prediction) return "";
    return fmt::format(
        "- without PSHARD0, llama.cpp's own fit with its op-offload: {} t/s, {}; {} "
        "MiB\n",
        rate_text(stock->prediction),
        against(*stock->prediction, *plan.prediction),
        mib_text(stock->memory.device.total()));
}

std::string memory_text(const MemoryUse& memory, Bytes budget) {
    const DeviceUse& device = memory.device;
    const HostUse& host = memory.host;
    return fmt::format(
        "- GPU, {} of {} MiB: weights {}, KV and state {}, stream slots {}, scratch "
        "{}; {} free\n"
        "- host, {} MiB: streamed weights {}, weights of the CPU {}, KV and state {}, "
        "scratch {}\n",
        mib_text(device.total()),
        mib_text(budget),
        mib_text(device.weights),
        mib_text(device.states),
        mib_text(device.slots),
        mib_text(device.scratch),
        mib_text(budget - device.total()),
        mib_text(host.total()),
        mib_text(host.streamed),
        mib_text(host.computed),
        mib_text(host.states),
        mib_text(host.scratch));
}

std::string lanes_text(const TierDetail& detail) {
    if (!detail.timeline) return "";
    return fmt::format("\nOne pass from a cold start, {:.1f} ms:\n\n```\n{}```\n",
                       1e3 * detail.timeline->end,
                       draw(*detail.timeline, detail.lowered.schedule, kLaneColumns));
}

std::string tier_text(const Planning& planning, std::size_t i) {
    const TierPlan& tier = planning.plan.tiers[i];
    const Candidate* plan = tier.winner();
    if (plan == nullptr) {
        std::string text =
            fmt::format("### {}: not viable\n\n", counted(to_text(tier.key), "token"));
        for (const Candidate& refused : tier.refused) {
            text += fmt::format(
                "- {}: {}\n", strategy_name(refused.choice.strategy), visible(refused.reason));
        }
        return text + "\n";
    }
    return plan_title(tier, *plan) + why_it_won(tier, *plan) + rivals_text(tier, *plan) +
           stock_text(planning.stock_fits[i], *plan) +
           memory_text(plan->memory, planning.plan.budget) +
           (planning.details.empty() ? "" : lanes_text(planning.details[i])) + "\n";
}

// The cost of a plan switch: milliseconds if the link is known, else MiB.
std::string switch_cost(const SwitchBytes& bytes, const std::optional<LinkRates>& link) {
    if (!link) return mib_text(bytes.total());
    const Seconds seconds = upload_seconds({.bytes = bytes.weights + bytes.states_up}, *link) +
                            download_seconds({.bytes = bytes.states_down}, *link);
    return fmt::format("{:.1f}", 1e3 * seconds);
}

std::string switches_text(const Planning& planning) {
    const VariantPlan& plan = planning.plan;
    if (plan.switches.size() < 2) return "";
    const std::optional<LinkRates> link =
        planning.profile != nullptr ? link_rates(*planning.profile) : std::nullopt;
    std::vector<Row> rows(1, {"from \\ to"});
    for (const TierPlan& tier : plan.tiers) {
        if (tier.winner() != nullptr) rows[0].push_back(to_text(tier.key));
    }
    for (std::size_t from = 0; from < plan.switches.size(); ++from) {
        Row& row = rows.emplace_back(1, rows[0][from + 1]);
        for (const SwitchBytes& bytes : plan.switches[from])
            row.push_back(switch_cost(bytes, link));
    }
    return fmt::format("### Plan switches, {}\n\n{}",
                       link ? "ms" : "MiB to copy",
                       markdown_table(rows, std::vector<bool>(rows[0].size(), true)));
}

}  // namespace

std::string explain(const Planning& planning) {
    if (planning.plan.baseline_vram) return "";
    std::string text = "## Why\n\n";
    for (std::size_t i = 0; i < planning.plan.tiers.size(); ++i) text += tier_text(planning, i);
    text += switches_text(planning);
    if (!planning.verify_seconds) return text;
    return text + fmt::format("\nThe plan was verified in {:.1f} ms: no fault was found.\n",
                              1e3 * *planning.verify_seconds);
}

}  // namespace pshard
