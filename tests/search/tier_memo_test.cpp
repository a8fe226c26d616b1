#include "search/tier_memo.h"

#include "cost/toy_profile.h"
#include "search/search.h"
#include "support/testing.h"
#include "support/toy_models.h"

namespace pshard {
namespace {

std::vector<std::vector<Candidate>> viable(const std::vector<TierPlan>& tiers) {
    std::vector<std::vector<Candidate>> all;
    for (const TierPlan& tier : tiers) all.push_back(tier.viable);
    return all;
}

// Largest tiers are compared by two graphs each; the plan of the best has those and more.
TEST(TierMemo, SearchesATierOnceForTheSameGraphCachesAndBudget) {
    const MachineProfile profile = test::toy_profile();
    const auto memo = std::make_shared<TierMemo>();
    const auto planned = [&](const Inventory& inventory, Bytes budget) {
        return plan_tiers({inventory, &profile, budget, 2, {}, {}, {}, {}, memo});
    };
    const Inventory whole = toy_dense(4);
    const std::size_t n = whole.graphs.size();
    ASSERT_GE(n, 2U);
    Inventory first = whole;
    first.graphs.resize(1);
    const Bytes budget = all_resident_bytes(whole, whole.graphs.front()) / 2;
    planned(first, budget);
    EXPECT_EQ(memo->counts().searched, 1U);
    const auto tiers = viable(planned(whole, budget));
    EXPECT_EQ(memo->counts().searched, n);
    EXPECT_EQ(memo->counts().asked, n + 1);
    EXPECT_EQ(tiers, viable(plan_tiers({whole, &profile, budget, 2, {}, {}})));

    // Another budget, or a larger cache, is another problem.
    planned(whole, budget - 1);
    EXPECT_EQ(memo->counts().searched, 2 * n);
    Inventory larger = whole;
    larger.states.front().bytes += 1;
    planned(larger, budget);
    EXPECT_EQ(memo->counts().searched, 3 * n);
}

}  // namespace
}  // namespace pshard
