#include "planner/registry_form.h"
#include "registry/registry_text.h"
#include "support/testing.h"
#include "support/toy_planning.h"

namespace pshard {
namespace {

using RegistryForm = test::ToyPlanning;

TEST_F(RegistryForm, IsWritableAndComesBack) {
    RegistrySection section;
    section.fingerprint = Hash64{1};
    section.variants = {to_registry_variant(planning_)};
    ASSERT_TRUE(check_writable(section).ok());
    const RegistryReading reading =
        test::value_of(read_registry(to_text(Registry{{section}}), "test"));
    EXPECT_TRUE(reading.warnings.empty());
    const RegistryVariant& back = reading.registry.sections[0].variants[0];
    EXPECT_EQ(back.pshard, section.variants[0].pshard);
    ASSERT_EQ(back.tiers.size(), planning_.plan.tiers.size());
    for (std::size_t i = 0; i < back.tiers.size(); ++i) {
        EXPECT_EQ(back.tiers[i].pshard, section.variants[0].tiers[i].pshard);
    }
}

// The published reader does not know STATIC_FITPARAMS: it gets the best of the others.
TEST_F(RegistryForm, KeepsAPlanWithoutPublishedFormInAPshardLine) {
    planning_.forced = Strategy::StaticFitParams;
    search();
    for (const RegistryTier& tier : to_registry_variant(planning_).tiers) {
        EXPECT_FALSE(tier.viable);
        ASSERT_TRUE(tier.pshard.plan);
        EXPECT_EQ(tier.pshard.plan->strategy, Strategy::StaticFitParams);
        EXPECT_TRUE(tier.pshard.tps);
    }
}

TEST_F(RegistryForm, HasAHashOfEveryFigureOfTheMachine) {
    const Hash64 before = machine_hash(&profile_);
    profile_.gpu->launch_us = 3.5;
    EXPECT_NE(machine_hash(&profile_), before);
    EXPECT_EQ(machine_hash(nullptr), Hash64{});
}

// What was asked for, and which smaller ubatches it serves.
TEST_F(RegistryForm, KeepsWhatWasLeftOut) {
    EXPECT_EQ(to_registry_variant(planning_).pshard.asked_ubatch, std::nullopt);
    EXPECT_EQ(to_registry_variant(planning_).pshard.smaller_states, std::nullopt);
    planning_.asked_ubatch = 1 << 20;
    planning_.smaller_states = {Hash64{1}, Hash64{2}};
    EXPECT_EQ(to_registry_variant(planning_).pshard.asked_ubatch, 1U << 20);
    EXPECT_EQ(to_registry_variant(planning_).pshard.smaller_states,
              "0x0000000000000001,0x0000000000000002");
}

TEST_F(RegistryForm, NamesTheTensorsOfTheModelsFiles) {
    EXPECT_EQ(to_registry_variant(planning_).pshard.tensors, std::nullopt);  // nobody knows them
    planning_.inventory.header_hash = 7;
    EXPECT_EQ(to_registry_variant(planning_).pshard.tensors, Hash64{7});
}

TEST_F(RegistryForm, RoundsTheBudgetUpToMib) {
    EXPECT_EQ(to_registry_variant(planning_).budget_mib, 1U);
}

}  // namespace
}  // namespace pshard
