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
    tier.times = {n_tokens, 1, {{0, n_tokens / rate}}};
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

// Issue 14: under -ub 2048 a prompt of 700 tokens is one batch: 205 s by the tier of 1024, 410 s by
// that of 2048.
TEST(Dominated, NamedTierStaysAndThoseBelowIt) {
    std::vector<TierPlan> tiers = {
        tier(512, 100), tier(1024, 5), tier(1536, 0), tier(2048, 5), tier(4096, 5)};
    EXPECT_THAT(tokens_of(take_dominated(tiers, 2048)), ElementsAre(1536, 4096));
    EXPECT_THAT(tokens_of(tiers), ElementsAre(512, 1024, 2048));
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
    for (TierPlan& tier : tiers) {
        tier.viable[0].prediction.reset();
        tier.times = {};
    }
    EXPECT_THAT(take_dominated(tiers, std::nullopt), IsEmpty());
}

// Llama-3.2-3B, 4096 tokens of context: batches of 2048 take 0.1454 s with an empty cache and
// 0.1738 s behind the first of them, one of 4096 takes 0.310 s: less than both, though more than
// twice the first.
TEST(Dominated, BatchesRunBehindEachOther) {
    const auto tiers = [](Seconds seconds) {
        std::vector<TierPlan> both = {tier(2048, 2048 / 0.1738), tier(4096, 4096 / seconds)};
        both[0].viable[0].prediction->depth_tokens = 2048;
        both[0].times.points = {{0, 0.1454}, {2048, 0.1738}};
        return both;
    };
    std::vector<TierPlan> faster = tiers(0.310);
    EXPECT_THAT(take_dominated(faster, std::nullopt), IsEmpty());
    std::vector<TierPlan> slower = tiers(0.320);
    EXPECT_THAT(tokens_of(take_dominated(slower, std::nullopt)), ElementsAre(4096));
}

// Behind 4000 tokens a batch of 16384 does not fit: what counts is 2000, the depth it is priced at.
TEST(Dominated, FirstBatchIsBehindAsManyTokensAsTheLargeOne) {
    std::vector<TierPlan> tiers = {tier(8192, 8192 / 9.0), tier(16384, 16384 / 14.5)};
    tiers[0].times.points = {{0, 5}, {20000, 15}};  // 6 + 10.096 - 1 at 2000 and 10192
    tiers[1].viable[0].prediction->depth_tokens = 2000;
    EXPECT_THAT(take_dominated(tiers, std::nullopt), IsEmpty());
    tiers[1] = tier(16384, 16384 / 16.2);
    tiers[1].viable[0].prediction->depth_tokens = 2000;
    EXPECT_THAT(tokens_of(take_dominated(tiers, std::nullopt)), ElementsAre(16384));
}

}  // namespace
}  // namespace pshard
