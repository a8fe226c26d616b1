#include "plan/choice.h"

#include <gtest/gtest.h>

#include <string>

namespace pshard {
namespace {

TEST(Choice, StrategiesHaveThePublishedNamesAndIds) {
    EXPECT_EQ(strategy_name(Strategy::GpuOnlyLayerPinLayerStream), "GPUONLY_LAYERPIN_LAYERSTREAM");
    EXPECT_EQ(strategy_name(Strategy::GpuOnlyAttnPinFfnStream), "GPUONLY_ATTNPIN_FFNSTREAM");
    EXPECT_EQ(strategy_name(Strategy::DynamicFfnCpuAttnStream), "DYNAMIC_FFNCPU_ATTNSTREAM");
    EXPECT_EQ(strategy_name(Strategy::StaticAttnPrio), "STATIC_ATTNPRIO_ALLMODELS");
    EXPECT_EQ(strategy_name(Strategy::StaticFitParams), "STATIC_FITPARAMS_DENSEPRIO_MOEONLY");
    int id = 0;
    for (Strategy strategy : kAllStrategies) EXPECT_EQ(strategy_id(strategy), id++);
}

TEST(Choice, StrategyIsReadByNameOrId) {
    for (Strategy strategy : kAllStrategies) {
        EXPECT_EQ(strategy_of(strategy_name(strategy)), strategy);
        EXPECT_EQ(strategy_of(std::to_string(strategy_id(strategy))), strategy);
    }
    for (const char* bad : {"", "5", "-1", "00", " 0", "0 ", "static_fitparams", "STATIC", "1x"}) {
        EXPECT_EQ(strategy_of(bad), std::nullopt) << bad;
    }
}

TEST(Choice, OverflowIsReadByName) {
    EXPECT_EQ(overflow_name(Overflow::None), "NONE");
    EXPECT_EQ(overflow_name(Overflow::Attn), "ATTN");
    EXPECT_EQ(overflow_name(Overflow::Up), "UP");
    EXPECT_EQ(overflow_name(Overflow::Gate), "GATE");
    EXPECT_EQ(overflow_name(Overflow::Moe), "MOE");
    for (auto part :
         {Overflow::None, Overflow::Attn, Overflow::Up, Overflow::Gate, Overflow::Moe}) {
        EXPECT_EQ(overflow_of(overflow_name(part)), part);
    }
    EXPECT_EQ(overflow_of("DOWN"), std::nullopt);
    EXPECT_EQ(overflow_of("none"), std::nullopt);
    EXPECT_EQ(overflow_of(""), std::nullopt);
}

}  // namespace
}  // namespace pshard
