#include "plan/choice.h"

namespace pshard {
namespace {

constexpr std::array<std::string_view, 5> kStrategyNames = {"GPUONLY_LAYERPIN_LAYERSTREAM",
                                                            "GPUONLY_ATTNPIN_FFNSTREAM",
                                                            "DYNAMIC_FFNCPU_ATTNSTREAM",
                                                            "STATIC_ATTNPRIO_ALLMODELS",
                                                            "STATIC_FITPARAMS_DENSEPRIO_MOEONLY"};

constexpr std::array<std::string_view, 5> kOverflowNames = {"NONE", "ATTN", "UP", "GATE", "MOE"};

}  // namespace

std::string_view strategy_name(Strategy strategy) {
    return kStrategyNames[static_cast<std::size_t>(strategy)];
}

int strategy_id(Strategy strategy) { return static_cast<int>(strategy); }

std::optional<Strategy> strategy_of(std::string_view name_or_id) {
    for (const Strategy strategy : kAllStrategies) {
        if (name_or_id == strategy_name(strategy)) return strategy;
        if (name_or_id == std::to_string(strategy_id(strategy))) return strategy;
    }
    return std::nullopt;
}

std::string_view overflow_name(Overflow overflow) {
    return kOverflowNames[static_cast<std::size_t>(overflow)];
}

std::optional<Overflow> overflow_of(std::string_view name) {
    for (std::size_t i = 0; i < kOverflowNames.size(); ++i) {
        if (name == kOverflowNames[i]) return static_cast<Overflow>(i);
    }
    return std::nullopt;
}

PlanChoice everything_resident(int n_layers, Strategy strategy) {
    PlanChoice choice;
    choice.strategy = strategy;
    choice.n_pinned = n_layers;
    choice.n_attn_pinned = is_static(strategy) ? n_layers : 0;
    choice.output_on_gpu = true;
    choice.pin_from_back = is_static(strategy);
    return choice;
}

}  // namespace pshard
