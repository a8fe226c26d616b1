#include "plan/tiers.h"
#include "support/testing.h"

namespace pshard {
namespace {

TEST(Tiers, DoublePromptsUpToTheContext) {
    EXPECT_THAT(tiers_of({.n_ctx = 8192}), ElementsAre(1, 16, 512, 1024, 2048, 4096, 8192));
}

TEST(Tiers, EndWithTheCapThatIsNoPowerOfTwo) {
    EXPECT_THAT(tiers_of({.n_ctx = 3272, .tier_max = 1500}), ElementsAre(1, 16, 512, 1024, 1500));
}

TEST(SmallerUbatch, IsThePowerOfTwoBelowDownTo16) {
    EXPECT_EQ(smaller_ubatch(512), 256U);
    EXPECT_EQ(smaller_ubatch(300), 256U);
    EXPECT_EQ(smaller_ubatch(17), 16U);
    EXPECT_EQ(smaller_ubatch(16), 0U);
    EXPECT_EQ(smaller_ubatch(1), 0U);
}

TEST(Tiers, SeveralUsersHaveMoreGenerationTiers) {
    EXPECT_THAT(tiers_of({.n_ctx = 1024, .n_parallel = 4}),
                ElementsAre(1, 4, 16, 32, 64, 512, 1024));
}

// A sequence has as many tokens as were drafted checked, and one more; all sequences at once.
TEST(Tiers, DraftingAddsTheBatchesThatAreChecked) {
    EXPECT_THAT(tiers_of({.n_ctx = 1024, .n_draft = 3}), ElementsAre(1, 4, 16, 512, 1024));
    EXPECT_THAT(tiers_of({.n_ctx = 1024, .n_parallel = 3, .n_draft = 4}),
                ElementsAre(1, 4, 5, 15, 16, 32, 64, 512, 1024));
    EXPECT_THAT(tiers_of({.n_ctx = 32, .n_draft = 48}), ElementsAre(1, 16, 32));
}

TEST(Tiers, CapIsWhatWasAskedForElse16384) {
    EXPECT_EQ(tier_cap({.n_ctx = 131072}), 16384);
    EXPECT_EQ(tier_cap({.n_ctx = 131072, .tier_max = 32768}), 32768);
    EXPECT_EQ(tier_cap({.n_ctx = 131072, .tier_max = 2048}), 2048);
    EXPECT_EQ(tier_cap({.n_ctx = 4096, .tier_max = 5000}), 4096);
}

// The published planner makes {1, 16, 8} of a cap of 8 [A42].
TEST(Tiers, SmallCapsStayAscending) {
    EXPECT_THAT(tiers_of({.n_ctx = 8}), ElementsAre(1, 8));
    EXPECT_THAT(tiers_of({.n_ctx = 16}), ElementsAre(1, 16));
    EXPECT_THAT(tiers_of({.n_ctx = 1}), ElementsAre(1));
    EXPECT_THAT(tiers_of({.n_ctx = 40, .n_parallel = 2}), ElementsAre(1, 4, 16, 32, 40));
}

TEST(Tiers, AscendForEveryCap) {
    for (std::uint32_t n_ctx = 1; n_ctx < 3000; ++n_ctx) {
        for (const std::uint32_t n_parallel : {1U, 3U}) {
            const std::vector<std::uint32_t> tiers =
                tiers_of({.n_ctx = n_ctx, .n_parallel = n_parallel});
            EXPECT_EQ(tiers.back(), n_ctx);
            EXPECT_TRUE(std::is_sorted(tiers.begin(), tiers.end(), std::less_equal<>())) << n_ctx;
        }
    }
}

TEST(Tiers, HugeContextsDoNotOverflow) {
    const std::vector<std::uint32_t> tiers =
        tiers_of({.n_ctx = 4294967295U, .tier_max = 4294967295U});
    EXPECT_EQ(tiers.back(), 4294967295U);
    EXPECT_EQ(tiers.size(), 2U + 23U + 1U);  // 1, 16; 512 = 2^9 ... 2^31; the cap
}

}  // namespace
}  // namespace pshard
