#include "report/words.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace pshard {
namespace {

// By Provenance.
constexpr std::array<std::string_view, 3> kProvenanceTexts = {
    "measured", "derived from stated rooflines, not measured", "the CPU measured in two seconds"};

std::string name_or(const std::string& name, std::string_view otherwise) {
    return name.empty() ? std::string(otherwise) : name;
}

}  // namespace

std::string mib_text(Bytes bytes) { return fmt::format("{:.1f}", in_mib(bytes)); }

std::string rate_text(const std::optional<Prediction>& prediction) {
    return prediction ? rate_text(prediction->tokens_per_second) : "-";
}

std::string choice_text(const PlanChoice& choice) {
    std::string text = fmt::format("n_pinned {}", choice.n_pinned);
    if (choice.n_attn_pinned > 0) text += fmt::format(", n_attn_pinned {}", choice.n_attn_pinned);
    if (choice.overflow != Overflow::None) {
        text += fmt::format(", part {}", overflow_name(choice.overflow));
    }
    if (choice.pin_from_back) text += ", from the back";
    return text + (choice.output_on_gpu ? ", head on the GPU" : ", head on the CPU");
}

std::vector<const Candidate*> best_rivals(const TierPlan& tier) {
    std::vector<const Candidate*> best;
    for (const Candidate& candidate : tier.viable) {
        const bool known = candidate.choice.strategy == tier.winner()->choice.strategy ||
                           std::any_of(best.begin(), best.end(), [&](const Candidate* rival) {
                               return rival->choice.strategy == candidate.choice.strategy;
                           });
        if (!known) best.push_back(&candidate);
    }
    return best;
}

const Prediction* prediction_of(const TierPlan& tier) {
    const Candidate* plan = tier.winner();
    return plan != nullptr && plan->prediction ? &*plan->prediction : nullptr;
}

double rate_of(const TierPlan& tier) {
    const Prediction* prediction = prediction_of(tier);
    return prediction != nullptr ? prediction->tokens_per_second : 0;
}

std::vector<TierPlan> tiers_of(const Planning& planning) {
    if (!planning.plan.baseline_vram) return planning.plan.tiers;
    std::vector<TierPlan> tiers;
    for (const StockRate& rate : planning.stock_rates) {
        TierPlan& tier = tiers.emplace_back();
        tier.key = rate.tier;
        tier.viable = {rate.resident};
        tier.empty = rate.empty;
        tier.full = rate.full;
    }
    return tiers;
}

std::string machine_text(const MachineProfile* profile) {
    if (profile == nullptr)
        return "no profile that prices plans: planned for an assumed machine, no speed predicted";
    return fmt::format(
        "{}; {} ({})",
        profile->cpu ? name_or(profile->cpu_name, "unnamed CPU") : "CPU unknown",
        profile->gpu ? name_or(profile->gpu_name, profile->gpu->backend) : "GPU unknown",
        kProvenanceTexts.at(static_cast<std::size_t>(profile->provenance)));
}

std::string flash_attention_text(const Inventory& inventory) {
    const std::string_view on = inventory.flash_attention ? "on" : "off";
    if (inventory.context.flash_attention != FlashAttention::Auto) return std::string(on);
    return fmt::format("auto, comes to {}", on);
}

std::string context_text(const Inventory& inventory) {
    const ContextSpec& context = inventory.context;
    std::string text = fmt::format("{}, {}, K {}, V {}, flash attention {}",
                                   counted(context.n_ctx, "token"),
                                   counted(context.n_seq_max, "sequence"),
                                   context.type_k,
                                   context.type_v,
                                   flash_attention_text(inventory));
    if (context.n_seq_max > 1 && !context.kv_unified) {
        text += fmt::format(", each of at most {}", counted(tokens_per_sequence(context), "token"));
    }
    if (context.kv_unified) text += ", unified KV";
    if (context.swa_full) text += ", full SWA cache";
    return text;
}

std::string csv_cell(std::string_view text) {
    if (text.find_first_of(",\"\r\n") == text.npos) return std::string(text);
    std::string inner;
    for (const char c : text) inner += c == '"' ? "\"\"" : std::string(1, c);
    return '"' + inner + '"';
}

std::string markdown_table(const std::vector<Row>& rows, const std::vector<bool>& flush_right) {
    std::vector<std::size_t> widths(flush_right.size(), 3);
    for (const Row& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    std::string text;
    for (std::size_t r = 0; r < rows.size(); ++r) {
        for (std::size_t i = 0; i < widths.size(); ++i) {
            text += flush_right[i] ? fmt::format("| {:>{}} ", rows[r][i], widths[i])
                                   : fmt::format("| {:<{}} ", rows[r][i], widths[i]);
        }
        text += "|\n";
        if (r > 0) continue;
        for (std::size_t i = 0; i < widths.size(); ++i) {
            text += fmt::format("|{:-<{}}{}", "", widths[i] + 1, flush_right[i] ? ":" : "-");
        }
        text += "|\n";
    }
    return text;
}

}  // namespace pshard
