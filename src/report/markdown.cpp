#include <algorithm>
#include <functional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/counted.h"
#include "base/visible.h"
#include "report/report.h"
#include "report/words.h"
#include "search/dominated.h"

namespace pshard {
namespace {

std::string model_text(const Planning& planning) {
    const Inventory& model = planning.inventory;
    const std::string experts =
        model.n_experts > 0
            ? fmt::format(
                  ", {} experts of which {} are used", model.n_experts, model.n_experts_used)
            : "";
    return fmt::format("{} ({}, {}{}, {:.2f} GiB), {}",
                       model.model_name.empty() ? "unnamed" : visible(model.model_name),
                       visible(model.architecture),
                       counted(model.n_layers, "layer"),
                       experts,
                       static_cast<double>(model.total_file_bytes) / kGiB,
                       visible(planning.model_path));
}

std::string budget_text(const Planning& planning) {
    const BudgetUse& budget = planning.budget;
    std::string text = fmt::format("{} MiB ({})", mib_text(budget.total), budget.origin);
    if (budget.draft > 0) text += fmt::format(", drafting {}", mib_text(budget.draft));
    if (budget.mmproj > 0) text += fmt::format(", projector {}", mib_text(budget.mmproj));
    if (budget.reserve > 0) text += fmt::format(", reserve {}", mib_text(budget.reserve));
    if (budget.pools > 0)
        text += fmt::format(", the device's own pools {}", mib_text(budget.pools));
    if (budget.taken() > 0) text += fmt::format(", leaves {}", mib_text(planning.plan.budget));
    const bool measured =
        planning.profile != nullptr && planning.profile->gpu && planning.profile->gpu->overhead_mib;
    if (measured) {
        text += fmt::format("; the driver takes {:.0f} MiB besides",
                            *planning.profile->gpu->overhead_mib);
    }
    return text;
}

std::string head(const Planning& planning) {
    std::string text = fmt::format("- model: {}\n- context: {}\n- budget: {}\n- machine: {}\n",
                                   model_text(planning),
                                   visible(context_text(planning.inventory)),
                                   budget_text(planning),
                                   visible(machine_text(planning.profile)));
    text += fmt::format("- depth: {} in the KV cache, where not said otherwise\n",
                        counted(planning.depth_tokens, "token"));
    if (planning.forced) {
        text += fmt::format("- forced: {} (PSHARD_STRATEGY)\n", strategy_name(*planning.forced));
    }
    if (!planning.registry_path.empty()) {
        text += fmt::format("- registry: {}, section {}\n",
                            visible(planning.registry_path),
                            to_text(planning.fingerprint.value_or(Hash64{})));
    }
    for (const std::string& note : planning.notes)
        text += fmt::format("- note: {}\n", visible(note));
    return text + "\n";
}

// The columns of rates: with an empty cache, at the report's depth, with a full cache. A column
// that would repeat the one before it is left out.
class RateColumns {
public:
    explicit RateColumns(const Planning& planning) : depth_tokens_(planning.depth_tokens) {
        for (const Graph& graph : planning.inventory.graphs) {
            const std::uint32_t full = full_depth(planning.inventory, graph);
            const std::uint32_t depth = std::min(planning.depth_tokens, full);
            has_depth_ = has_depth_ || depth > 0;
            has_full_ = has_full_ || full > depth;
        }
    }

    [[nodiscard]] Row heads() const {
        return row("t/s at 0", fmt::format("t/s at {}", depth_tokens_), "t/s full");
    }

    [[nodiscard]] Row row(std::string empty, std::string depth, std::string full) const {
        Row row = {std::move(empty)};
        if (has_depth_) row.push_back(std::move(depth));
        if (has_full_) row.push_back(std::move(full));
        return row;
    }

private:
    std::uint32_t depth_tokens_;
    bool has_depth_ = false;
    bool has_full_ = false;
};

template <typename T>
std::vector<T> joined(std::vector<T> a, const std::vector<T>& b, const std::vector<T>& c) {
    a.insert(a.end(), b.begin(), b.end());
    a.insert(a.end(), c.begin(), c.end());
    return a;
}

Row tier_row(const Planning& planning, const TierPlan& tier, const RateColumns& rates) {
    const Candidate* plan = tier.winner();
    const std::string tokens = to_text(tier.key);
    if (plan == nullptr) {
        return joined(
            {tokens, "not viable", "-", "-", "-", "-"}, rates.row("-", "-", "-"), {"-", "-", "-"});
    }
    const PlanChoice& choice = plan->choice;
    const bool bound_known = plan->prediction.has_value();
    return joined(
        {tokens,
         std::string(strategy_name(choice.strategy)),
         fmt::format("{}/{}", choice.n_pinned, planning.inventory.n_layers),
         std::to_string(choice.n_attn_pinned),
         std::string(overflow_name(choice.overflow)),
         choice.output_on_gpu ? "GPU" : "CPU"},
        rates.row(rate_text(tier.empty), rate_text(plan->prediction), rate_text(tier.full)),
        {bound_known ? std::string(bound_name(plan->prediction->bound_by)) : "-",
         mib_text(plan->memory.device.total()),
         mib_text(plan->memory.host.total())});
}

std::string tiers_table(const Planning& planning, const std::vector<TierPlan>& tiers) {
    const RateColumns rates(planning);
    const Row heads = rates.heads();
    std::vector<Row> rows = {joined({"tokens", "strategy", "pinned", "attn", "part", "head"},
                                    heads,
                                    {"bound by", "VRAM MiB", "host MiB"})};
    for (const TierPlan& tier : tiers) rows.push_back(tier_row(planning, tier, rates));
    return markdown_table(rows,
                          joined({true, false, true, true, false, false},
                                 std::vector<bool>(heads.size(), true),
                                 {false, true, true}));
}

// The rates of stock llama.cpp where it holds everything.
std::string stock_table(const Planning& planning, const std::vector<TierPlan>& tiers) {
    const RateColumns columns(planning);
    const Row heads = columns.heads();
    std::vector<Row> rows = {joined({"tokens"}, heads, {"bound by", "VRAM MiB"})};
    for (const TierPlan& tier : tiers) {
        const std::optional<Prediction>& at_depth = tier.winner()->prediction;
        rows.push_back(
            joined({to_text(tier.key)},
                   columns.row(rate_text(tier.empty), rate_text(at_depth), rate_text(tier.full)),
                   {at_depth ? std::string(bound_name(at_depth->bound_by)) : "-",
                    mib_text(tier.winner()->memory.device.total())}));
    }
    return markdown_table(rows,
                          joined({true}, std::vector<bool>(heads.size(), true), {false, true}));
}

// Of what was refused, what came closest: within the budget if any is, then with the least bytes.
const Candidate* closest(const TierPlan& tier) {
    const auto order = [](const Candidate& plan) {
        const bool is_over = plan.verdict == Verdict::OverBudget;
        const MemoryUse& use = plan.memory;
        return std::pair(is_over, is_over ? use.device.total() : use.host.total());
    };
    const auto best = std::ranges::min_element(tier.refused, std::less<>(), order);
    return best == tier.refused.end() ? nullptr : &*best;
}

std::string refusals_of(const std::vector<TierPlan>& tiers) {
    std::string text;
    for (const TierPlan& tier : tiers) {
        const Candidate* refused = tier.winner() == nullptr ? closest(tier) : nullptr;
        if (refused == nullptr) continue;
        text += fmt::format("- {}: {} comes closest, but {}\n",
                            counted(to_text(tier.key), "token"),
                            strategy_name(refused->choice.strategy),
                            visible(refused->reason));
    }
    return text;
}

// Why the tiers without a plan have none.
std::string refusals(const Planning& planning) {
    const std::string text =
        refusals_of(planning.plan.tiers) + refusals_of(planning.plan.dominated);
    return text.empty() ? text : "\n" + text;
}

// Tells of batches that leave no room for the depth beside them: their rates are those of a full
// cache.
std::string depth_note(const Planning& planning, const std::vector<TierPlan>& tiers) {
    if (planning.profile == nullptr) return "";
    std::vector<std::string> clamped;
    for (const TierPlan& tier : tiers) {
        const Graph& graph = *graph_of_tier(planning.inventory, tier.key);
        const bool fits = planning.depth_tokens <= full_depth(planning.inventory, graph);
        if (!fits && tier.winner() != nullptr) clamped.push_back(to_text(tier.key));
    }
    if (clamped.empty()) return "";
    return fmt::format(
        "\nBatches of {} tokens do not fit behind {} others{}: their rates are those of "
        "the full cache.\n",
        fmt::join(clamped, ", "),
        planning.depth_tokens,
        planning.inventory.context.n_seq_max > 1 ? " of each sequence" : "");
}

std::string extrapolation_note(const std::vector<TierPlan>& tiers) {
    const bool is_extrapolated = std::ranges::any_of(tiers, [](const TierPlan& tier) {
        const Prediction* prediction = prediction_of(tier);
        return prediction != nullptr && prediction->extrapolated;
    });
    if (!is_extrapolated) return "";
    return "\nSome ops have no measured row near them in the profile: the rates are "
           "extrapolated.\n";
}

// Tells the batch that prompts are fastest in: larger batches are not always faster.
std::string best_batch(const Planning& planning) {
    const TierPlan* best = nullptr;
    for (const TierPlan& tier : planning.plan.tiers) {
        if (tier.key.n_tokens < 2 || rate_of(tier) <= 0) continue;
        if (best == nullptr || !is_faster(*best, tier)) best = &tier;
    }
    if (best == nullptr) return "";
    if (planning.faster_ubatch > 0) {
        return fmt::format(
            "\nOf these batches, those of {} tokens are reckoned fastest for prompts, {} t/s; -ub "
            "{} "
            "is faster.\n",
            best->key.n_tokens,
            rate_text(rate_of(*best)),
            planning.faster_ubatch);
    }
    const bool other_cache = is_windowed(planning.inventory) &&
                             best->key.n_tokens != planning.inventory.context.n_ubatch;
    return fmt::format("\nPrompts are reckoned fastest in batches of {}, {} t/s: {}-ub {}.\n",
                       counted(best->key.n_tokens, "token"),
                       rate_text(rate_of(*best)),
                       other_cache ? "plan again with " : "",
                       best->key.n_tokens);
}

// Tells the tiers that are left out: a larger ubatch than those of the table is no part of the
// plan.
std::string left_out(const Planning& planning) {
    std::vector<std::string> slow;
    std::vector<std::string> large;
    for (const TierPlan& tier : planning.plan.dominated) {
        const Candidate* plan = tier.winner();
        const std::string tokens = counted(to_text(tier.key), "token");
        if (plan == nullptr) large.push_back(tokens);
        if (plan != nullptr) slow.push_back(tokens + " (" + rate_text(plan->prediction) + " t/s)");
    }
    std::string text;
    if (!slow.empty()) {
        text += fmt::format(
            "\nBatches of {} have no plan: smaller ones, one after the other, are faster.\n",
            fmt::join(slow, ", "));
    }
    if (!large.empty()) {
        text +=
            fmt::format("\nBatches of {} have no plan: they do not fit.\n", fmt::join(large, ", "));
    }
    return text;
}

// Tells the batches for which llama.cpp's own fit, made for such a batch alone, is faster.
std::string better_in_stock(const Planning& planning) {
    std::vector<std::string> batches;
    for (std::size_t i = 0; i < planning.plan.tiers.size(); ++i) {
        const TierPlan& tier = planning.plan.tiers[i];
        if (rate_of(tier) <= 0) continue;
        const std::optional<Candidate>& stock = planning.stock_fits[i];
        if (!stock || !stock->prediction) continue;
        const double rate = stock->prediction->tokens_per_second;
        if (rate <= rate_of(tier) * (1 + kEqualShare)) continue;
        batches.push_back(
            fmt::format("{} ({} t/s)", counted(to_text(tier.key), "token"), rate_text(rate)));
    }
    if (batches.empty()) return "";
    return fmt::format("\nStock llama.cpp's own fit is reckoned faster with batches of {}.\n",
                       fmt::join(batches, ", "));
}

}  // namespace

std::string to_markdown(const Planning& planning) {
    const std::vector<TierPlan> tiers = tiers_of(planning);
    if (!planning.plan.baseline_vram) {
        return head(planning) + tiers_table(planning, tiers) + best_batch(planning) +
               left_out(planning) + better_in_stock(planning) + depth_note(planning, tiers) +
               refusals(planning) + extrapolation_note(tiers);
    }
    return head(planning) +
           fmt::format(
               "Stock llama.cpp holds the whole model in {} MiB: run it with -ngl all; "
               "pshard has nothing to add (pshard_disabled=1).\n\n",
               mib_text(*planning.plan.baseline_vram)) +
           stock_table(planning, tiers) + depth_note(planning, tiers) + extrapolation_note(tiers);
}

}  // namespace pshard
