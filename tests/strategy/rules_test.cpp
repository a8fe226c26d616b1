#include <fmt/ranges.h>
#include <random>
#include <regex>

#include "strategy/counts.h"
#include "strategy/number_patterns.h"
#include "strategy/rules.h"
#include "support/testing.h"

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

// Of 0 to 40 layers `most` fit: found from every guess, within or without the range.
TEST(LargestNear, FindsTheMostThatFitFromEveryGuess) {
    for (int most = 0; most <= 40; ++most) {
        const auto fits = [&](int n) { return n <= most; };
        EXPECT_EQ(largest(0, 40, fits), most);
        for (int guess = -3; guess <= 45; ++guess) {
            EXPECT_EQ(largest_near(guess, 0, 40, fits), most) << "guess " << guess;
        }
    }
}

// From 20: it fits, 21 does not.
TEST(LargestNear, AsksTwiceWhereTheGuessIsRight) {
    int asked = 0;
    const auto fits = [&](int n) {
        ++asked;
        return n <= 20;
    };
    EXPECT_EQ(largest_near(20, 0, 40, fits), 20);
    EXPECT_EQ(asked, 2);
}

std::set<int> from_to(int first, int last) {
    std::set<int> numbers;
    for (int n = first; n <= last; ++n) numbers.insert(n);
    return numbers;
}

TEST(NumberPatterns, RunsBecomeClasses) {
    EXPECT_THAT(number_patterns(from_to(8, 31)), ElementsAre("[8-9]", "3[0-1]", "[1-2][0-9]"));
    EXPECT_THAT(number_patterns(from_to(0, 99)), ElementsAre("[0-9]", "[1-9][0-9]"));
    EXPECT_THAT(number_patterns({1, 5, 7}), ElementsAre("[157]"));
    EXPECT_THAT(number_patterns({100}), ElementsAre("100"));
    EXPECT_THAT(number_patterns({}), IsEmpty());
}

// For random sets: each number matches if and only if it is in the set.
TEST(NumberPatterns, MatchExactlyTheNumbers) {
    std::mt19937 random(3);
    for (int round = 0; round < 50; ++round) {
        std::set<int> numbers;
        for (int n = 0; n < 130; ++n) {
            if (random() % 3 != 0) numbers.insert(n);
        }
        const std::regex pattern(fmt::format("^({})$", fmt::join(number_patterns(numbers), "|")));
        for (int n = 0; n < 150; ++n) {
            EXPECT_EQ(std::regex_match(std::to_string(n), pattern), numbers.contains(n)) << n;
        }
    }
}

}  // namespace
}  // namespace pshard
