#include "strategy/rules.h"

#include <string>

#include <gtest/gtest.h>

namespace pshard {
namespace {

TEST(Rules, HaveThePublishedNames) {
    EXPECT_EQ(strategy_name(Strategy::GpuOnlyLayerPinLayerStream), "GPUONLY_LAYERPIN_LAYERSTREAM");
    EXPECT_EQ(strategy_name(Strategy::GpuOnlyAttnPinFfnStream), "GPUONLY_ATTNPIN_FFNSTREAM");
    EXPECT_EQ(strategy_name(Strategy::DynamicFfnCpuAttnStream), "DYNAMIC_FFNCPU_ATTNSTREAM");
    EXPECT_EQ(strategy_name(Strategy::StaticAttnPrio), "STATIC_ATTNPRIO_ALLMODELS");
    EXPECT_EQ(strategy_name(Strategy::StaticFitParams), "STATIC_FITPARAMS_DENSEPRIO_MOEONLY");
}

// A strategy is found by its id: so the rows stand in that order, each complete.
TEST(Rules, AreCompleteAndInTheOrderOfTheirIds) {
    int id = 0;
    for (const StrategyRule* rule : strategy_rules()) {
        EXPECT_EQ(strategy_id(rule->id), id++) << rule->name;
        EXPECT_EQ(&rule_of(rule->id), rule);
        EXPECT_FALSE(rule->name.empty());
        EXPECT_NE(rule->lanes, nullptr) << rule->name;
        EXPECT_NE(rule->propose, nullptr) << rule->name;
    }
}

TEST(Rules, AreFoundByNameOrId) {
    for (const StrategyRule* rule : strategy_rules()) {
        EXPECT_EQ(strategy_of(rule->name), rule->id);
        EXPECT_EQ(strategy_of(std::to_string(strategy_id(rule->id))), rule->id);
    }
    const std::string next = std::to_string(strategy_rules().size());
    for (const std::string& bad : {std::string(), next, std::string("-1"), std::string("00")}) {
        EXPECT_EQ(strategy_of(bad), std::nullopt) << bad;
    }
    for (const char* bad : {" 0", "0 ", "static_fitparams", "STATIC", "1x"}) {
        EXPECT_EQ(strategy_of(bad), std::nullopt) << bad;
    }
}

}  // namespace
}  // namespace pshard
