// What a backend says of a run that is not the one that was planned.
#include "plan/plan_hash.h"
#include "planner/registered_plan.h"
#include "planner/registry_form.h"
#include "registry/registry_text.h"
#include "support/testing.h"
#include "support/toy_planning.h"

namespace pshard {
namespace {

class Differences : public test::ToyPlanning {
protected:
    Differences() {
        planning_.inventory.context.n_ubatch = 4;
        search();
        variant_ = to_registry_variant(planning_);
        for (Graph& graph : planning_.inventory.graphs) {
            graph = device_part(planning_.inventory, graph).value();
        }
    }

    Graph& reserved() { return planning_.inventory.graphs.back(); }

    std::vector<std::string> warnings() const {
        RegistrySection section;
        section.variants = {variant_};
        const RegistryMatch match = match_registry(Registry{{section}}, planning_.inventory, kMiB);
        EXPECT_EQ(match.choices.size(), 2U) << match.text;
        return match.warnings;
    }

    RegistryVariant variant_;
};

TEST_F(Differences, AreNoneInTheRunThatWasPlanned) {
    EXPECT_TRUE(variant_.tiers[0].pshard.ops && variant_.tiers[1].pshard.steps);
    EXPECT_THAT(warnings(), IsEmpty());
}

// The profile's figures, by way of the registry.
TEST_F(Differences, AreHeldAgainstTheMemoryThatTheDriverTakes) {
    const auto driver = [&] {
        RegistrySection section;
        section.variants = {to_registry_variant(planning_)};
        const Result<RegistryReading> reading =
            read_registry(to_text(Registry{{section}}), "registry");
        EXPECT_TRUE(reading.ok());
        return match_registry(reading.value().registry, planning_.inventory, kMiB).driver;
    };
    profile_.gpu->overhead_mib.reset();
    EXPECT_EQ(driver(), std::nullopt);
    profile_.gpu->overhead_mib = 300;
    EXPECT_EQ(driver(), DriverMemory{300 * kMiB});
    profile_.gpu->overhead_unseen_mib = 250;
    EXPECT_EQ(driver(), (DriverMemory{300 * kMiB, 250 * kMiB}));
    planning_.plan.baseline_vram = 400;
    EXPECT_EQ(driver(), (DriverMemory{300 * kMiB, 250 * kMiB}));
}

TEST_F(Differences, NameAnotherGraph) {
    reserved().nodes[6].op = "SOFT_MAX";
    EXPECT_THAT(warnings(),
                ElementsAre(HasSubstr("the graph of 4 tokens is not the one that was planned")));
}

// Graphs of fewer tokens may be of fewer sequences than planned, or pieces.
TEST_F(Differences, AreLookedForInTheLargestGraphAlone) {
    planning_.inventory.graphs[0].nodes[6].op = "SOFT_MAX";
    EXPECT_THAT(warnings(), IsEmpty());
}

TEST_F(Differences, NameOtherSteps) {
    variant_.tiers[1].pshard.steps = Hash64{1};
    EXPECT_THAT(warnings(),
                ElementsAre(HasSubstr("the steps for 4 tokens are not those that were planned")));
}

TEST_F(Differences, AreNotSoughtInFilesWithoutHashes) {
    for (RegistryTier& tier : variant_.tiers) tier.pshard.ops = tier.pshard.steps = std::nullopt;
    reserved().nodes[6].op = "SOFT_MAX";
    EXPECT_THAT(warnings(), IsEmpty());
}

// The head's product is the last node. A cap of 2 where 1 was planned; with a row for every token
// nobody has set a cap.
TEST_F(Differences, NameACapOfLogitsThatIsAboveThePlans) {
    ASSERT_EQ(variant_.pshard.output_rows, 1U);
    reserved().nodes.back().shape[1] = 2;
    EXPECT_THAT(warnings(), ElementsAre(HasSubstr("keeps 1 row of logits and this run up to 2: ")));
    reserved().nodes.back().shape[1] = 4;
    EXPECT_THAT(warnings(), IsEmpty());
}

// The draft model that a plan leaves room for may have taken it already.
TEST_F(Differences, CountNoBudgetThatThePlanLeavesToOthers) {
    const auto match = [&](Bytes shared) {
        variant_.budget_mib = 3;
        variant_.pshard.shared = shared;
        RegistrySection section;
        section.variants = {variant_};
        return match_registry(Registry{{section}}, planning_.inventory, kMiB);
    };
    EXPECT_EQ(match(2 * kMiB).budget, kMiB);
    EXPECT_TRUE(match(kMiB).choices.empty());
    EXPECT_THAT(match(kMiB).text, HasSubstr("need a budget of 2 MiB, 1 are left"));
}

}  // namespace
}  // namespace pshard
