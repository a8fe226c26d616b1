#include "strategy/rules.h"

#include <array>
#include <string>

// The table has a row for each file that defines a StrategyRule of that name, by ascending id.
#define PSHARD_STRATEGY_ROWS(ROW) \
    ROW(kLayerStream)             \
    ROW(kFfnStream)               \
    ROW(kFfnCpu)                  \
    ROW(kAttnPrio)                \
    ROW(kStockFit)

namespace pshard {

#define PSHARD_DECLARE(rule) extern const StrategyRule rule;
PSHARD_STRATEGY_ROWS(PSHARD_DECLARE)

std::span<const StrategyRule* const> strategy_rules() {
#define PSHARD_ADDRESS(rule) &(rule),
    static constexpr std::array kRules = {PSHARD_STRATEGY_ROWS(PSHARD_ADDRESS)};
    return kRules;
}

const StrategyRule& rule_of(Strategy strategy) {
    return *strategy_rules()[static_cast<std::size_t>(strategy)];
}

std::string_view strategy_name(Strategy strategy) { return rule_of(strategy).name; }

int strategy_id(Strategy strategy) { return static_cast<int>(strategy); }

PlanChoice everything_resident(int n_layers, Strategy strategy) {
    const bool is_static = rule_of(strategy).is_static;
    return {.strategy = strategy,
            .n_pinned = n_layers,
            .n_attn_pinned = is_static ? n_layers : 0,
            .output_on_gpu = true,
            .pin_from_back = is_static};
}

std::optional<Strategy> strategy_of(std::string_view name_or_id) {
    for (const StrategyRule* rule : strategy_rules()) {
        const bool is_it =
            name_or_id == rule->name || name_or_id == std::to_string(strategy_id(rule->id));
        if (is_it) return rule->id;
    }
    return std::nullopt;
}

}  // namespace pshard
