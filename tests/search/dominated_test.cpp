#include "search/dominated.h"

#include "support/testing.h"

namespace pshard {
namespace {

// A tier whose plan has that rate; 0: it has no plan.
TierPlan tier(std::uint32_t n_tokens, double rate) {
    TierPlan tier;
    tier.key = {n_tokens};
    if (rate <= 0) return tier;
    Candidate plan;
    plan.prediction = Prediction{n_tokens / rate, rate};
    tier.viable = {plan};
    return tier;
}

std::vector<std::uint32_t> tokens_of(const std::vector<TierPlan>& tiers) {
    std::vector<std::uint32_t> tokens;
    for (const TierPlan& tier : tiers) tokens.push_back(tier.key.n_tokens);
    return tokens;
}

// 70B in 1500 MiB: 4 batches of 512 take 4.1 s, one of 2048 takes 406 s.
TEST(Dominated, TiersGoWhereSmallerBatchesAreFaster) {
    std::vector<TierPlan> tiers = {tier(1, 1.1),
                                   tier(16, 17),
                                   tier(512, 498),
                                   tier(1024, 555),
                                   tier(2048, 5),
                                   tier(4096, 4.9)};
    EXPECT_THAT(tokens_of(take_dominated(tiers, std::nullopt)), ElementsAre(2048, 4096));
    EXPECT_THAT(tokens_of(tiers), ElementsAre(1, 16, 512, 1024));
}

// A larger one is held against what is left, not against the one before it.
TEST(Dominated, TierBetweenGoesAlone) {
    std::vector<TierPlan> tiers = {tier(512, 100), tier(1024, 90), tier(2048, 95), tier(4096, 101)};
    EXPECT_THAT(tokens_of(take_dominated(tiers, std::nullopt)), ElementsAre(1024, 2048));
    EXPECT_THAT(tokens_of(tiers), ElementsAre(512, 4096));
}

TEST(Dominated, EqualTiersStay) {
    std::vector<TierPlan> tiers = {tier(512, 100), tier(1024, 100)};
    EXPECT_THAT(take_dominated(tiers, std::nullopt), IsEmpty());
}

// Sixteen sequences send sixteen tokens; nobody can send them one by one.
TEST(Dominated, BatchesThatNobodyCutsStay) {
    std::vector<TierPlan> tiers = {tier(1, 20), tier(16, 10), tier(512, 15)};
    EXPECT_THAT(tokens_of(take_dominated(tiers, std::nullopt)), ElementsAre(512));
    EXPECT_THAT(tokens_of(tiers), ElementsAre(1, 16));
}

TEST(Dominated, NamedTierStays) {
    std::vector<TierPlan> tiers = {tier(512, 100), tier(1024, 5), tier(2048, 5)};
    EXPECT_THAT(tokens_of(take_dominated(tiers, 2048)), ElementsAre(1024));
    EXPECT_THAT(tokens_of(tiers), ElementsAre(512, 2048));
}

TEST(Dominated, TierWithoutAPlanGoesIfASmallerOneHasOne) {
    std::vector<TierPlan> tiers = {tier(1, 0), tier(512, 10), tier(1024, 0)};
    EXPECT_THAT(tokens_of(take_dominated(tiers, std::nullopt)), ElementsAre(1024));
    EXPECT_THAT(tokens_of(tiers), ElementsAre(1, 512));
    std::vector<TierPlan> none = {tier(1, 0), tier(512, 0)};
    EXPECT_THAT(take_dominated(none, std::nullopt), IsEmpty());
}

// Ranked by memory: no rate is less than another.
TEST(Dominated, TiersWithoutRatesStay) {
    std::vector<TierPlan> tiers = {tier(512, 1), tier(1024, 1)};
    for (TierPlan& tier : tiers) tier.viable[0].prediction.reset();
    EXPECT_THAT(take_dominated(tiers, std::nullopt), IsEmpty());
}

// Behind 4000 tokens a batch of 16384 does not fit; behind the 2000 that it is priced for, batches
// of 4096 take the mean of 5.9 s and 6.5 s.
TEST(Dominated, TiersAreComparedBehindAsManyTokens) {
    const auto tiers = [](double rate) {
        std::vector<TierPlan> both = {tier(4096, 4096 / 6.5), tier(16384, rate)};
        both[0].viable[0].prediction->depth_tokens = 4000;
        both[0].empty = Prediction{5.9, 4096 / 5.9};
        both[1].viable[0].prediction->depth_tokens = 2000;
        return both;
    };
    std::vector<TierPlan> slower = tiers(4096 / 6.21);  // faster than 4096 / 6.5
    EXPECT_THAT(tokens_of(take_dominated(slower, std::nullopt)), ElementsAre(16384));
    std::vector<TierPlan> faster = tiers(4096 / 6.19);
    EXPECT_THAT(take_dominated(faster, std::nullopt), IsEmpty());
}

}  // namespace
}  // namespace pshard
