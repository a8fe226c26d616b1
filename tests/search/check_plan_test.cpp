// What search returns is verified: a planted fault is refused, and named with its tier.
#include "search/check_plan.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cost/toy_profile.h"
#include "support/toy_models.h"

namespace pshard {
namespace {

using testing::HasSubstr;

class CheckPlan : public testing::Test {
protected:
    CheckPlan() : plan_(plan_variant(problem())) {}

    Problem problem() const { return {inventory_, &profile_, 500, 2, {}, {}}; }

    std::string fault() const {
        const Status right = check_plan(problem(), plan_.tiers, plan_.arena);
        return right ? "" : right.error().message;
    }

    Inventory inventory_ = toy_dense(4);
    MachineProfile profile_ = test::toy_profile();
    VariantPlan plan_;
};

TEST_F(CheckPlan, FindsNothingInWhatSearchReturns) {
    ASSERT_FALSE(plan_.arena.tiers.empty());
    EXPECT_EQ(fault(), "");
    EXPECT_TRUE(check_rivals(problem(), plan_.tiers));
}

TEST_F(CheckPlan, NamesTheTierOfAScratchThatIsTooSmall) {
    plan_.arena.tiers.back().scratch -= inventory_.device.alignment;
    EXPECT_THAT(fault(), HasSubstr(fmt::format("{} tokens", plan_.tiers.back().key.n_tokens)));
    EXPECT_THAT(fault(), HasSubstr("bytes of scratch"));
}

TEST_F(CheckPlan, NamesWhatLiesOnSomethingElse) {
    plan_.arena.tiers.front().scratch_begin = 0;
    EXPECT_THAT(fault(), HasSubstr("overlaps 'scratch'"));
}

}  // namespace
}  // namespace pshard
