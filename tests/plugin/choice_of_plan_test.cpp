// Which of several plans in a registry is taken, and what is said of it.
#include <fstream>

#include "base/temp_folder.h"
#include "plan/plan_hash.h"
#include "planner/registered_plan.h"
#include "planner/registry_form.h"
#include "plugin/order_source.h"
#include "registry/registry_text.h"
#include "support/testing.h"
#include "support/toy_planning.h"

namespace pshard {
namespace {

constexpr Hash64 kOld{0xa};
constexpr Hash64 kNew{0xb};

// Two sections with a plan of 1 MiB each, which the device cannot tell apart.
class ChoiceOfPlan : public test::ToyPlanning {
protected:
    ChoiceOfPlan() {
        planning_.inventory.context.n_ubatch = 4;
        search();
        for (const Hash64 fingerprint : {kOld, kNew}) {
            RegistrySection& section = registry_.sections.emplace_back();
            section.fingerprint = fingerprint;
            section.settings.emplace().n_threads = fingerprint == kOld ? 2 : 8;
            section.variants = {to_registry_variant(planning_)};
        }
        for (Graph& graph : planning_.inventory.graphs) {
            graph = device_part(planning_.inventory, graph).value();
        }
        // By what the driver takes a test tells which was taken.
        registry_.sections[0].variants[0].pshard.outside = 2 * kMiB;
        registry_.sections[1].variants[0].pshard.outside = 8 * kMiB;
        for (RegistrySection& section : registry_.sections) {
            for (RegistryTier& tier : section.variants[0].tiers) tier.pshard.outside = std::nullopt;
        }
    }

    RegistryMatch match(const std::vector<PlanName>& named = {}) const {
        return match_registry(registry_, planning_.inventory, kMiB, named);
    }

    static Bytes outside(const RegistryMatch& match) {
        return match.driver.value_or(DriverMemory{}).bytes;
    }

    // What the backend says of the runs of one process, each with so much of the budget.
    std::vector<std::string> told(const PluginSettings& settings,
                                  const std::vector<Bytes>& left,
                                  Bytes room = 24000 * kMiB,
                                  Bytes host_memory = 0) const {
        std::vector<std::string> lines;
        const OrderGiver source =
            make_order_giver(settings, {room, "", host_memory}, [&](std::string_view line) {
                lines.emplace_back(line);
            });
        for (const Bytes budget : left) {
            const Result<Orders> orders = source(planning_.inventory, budget);
            EXPECT_TRUE(orders.ok()) << orders.error().text();
        }
        std::erase_if(lines,
                      [](const std::string& line) { return !line.starts_with("warning: "); });
        return lines;
    }

    // Of the newer section's plan alone.
    PluginSettings written() const {
        std::ofstream(folder_.file("registry")) << to_text(registry_);
        PluginSettings settings;
        settings.registry = folder_.file("registry");
        settings.plans = {{kNew}};
        settings.plan_here = false;
        return settings;
    }

    test::TempFolder folder_;
    Registry registry_;
};

TEST_F(ChoiceOfPlan, IsTheNewestAndSaysSo) {
    EXPECT_EQ(outside(match()), 8 * kMiB);
    EXPECT_THAT(match().warnings,
                ElementsAre(AllOf(HasSubstr("2 plans for 1 MiB match, 0x000000000000000a:4 (-t 2), "
                                            "0x000000000000000b:4 (-t 8): the newest"),
                                  HasSubstr("PSHARD_FINGERPRINT="))));
}

TEST_F(ChoiceOfPlan, IsTheOneThatIsNamed) {
    for (const auto& [name, bytes] : {std::pair{kOld, 2 * kMiB}, std::pair{kNew, 8 * kMiB}}) {
        EXPECT_EQ(outside(match({{name}})), bytes);
        EXPECT_EQ(outside(match({{name, 4}})), bytes);
        EXPECT_EQ(outside(match({{Hash64{7}}, {name, 4}})), bytes);
        EXPECT_THAT(match({{name}}).warnings, IsEmpty());
    }
}

// In one section lie plans of several ubatches.
TEST_F(ChoiceOfPlan, IsOfTheUbatchThatIsNamed) {
    RegistrySection& section = registry_.sections[0];
    section.variants.push_back(section.variants[0]);
    section.variants[1].cache_ubatch = 2;
    section.variants[1].pshard.outside = 4 * kMiB;
    EXPECT_EQ(outside(match({{kOld, 4}})), 2 * kMiB);
    EXPECT_EQ(outside(match({{kOld, 2}})), 4 * kMiB);
    EXPECT_EQ(outside(match({{kOld}})), 4 * kMiB);
    EXPECT_EQ(match({{kOld}}).warnings.size(), 1U);
}

TEST_F(ChoiceOfPlan, IsNoneWhereTheNamedOneDoesNotMatch) {
    EXPECT_THAT(match({{kOld, 5}}).choices, IsEmpty());
    EXPECT_EQ(match({{Hash64{7}}}).text, "it holds no plan that PSHARD_FINGERPRINT names");
    registry_.sections[0].variants[0].pshard.weights = Hash64{1};
    EXPECT_THAT(match({{kOld}}).choices, IsEmpty());
    EXPECT_EQ(match({{kOld}}).text,
              "its plans are for another model; PSHARD_FINGERPRINT lets no others be taken");
    EXPECT_THAT(match().warnings, IsEmpty());  // one is left
}

// A plan for less says so by its budget, which the line "plan from" has.
TEST_F(ChoiceOfPlan, IsSilentWhereBudgetsDiffer) {
    registry_.sections[1].variants[0].budget_mib = 0;
    EXPECT_EQ(outside(match()), 2 * kMiB);
    EXPECT_THAT(match().warnings, IsEmpty());
}

TEST_F(ChoiceOfPlan, WarnsOnceOfABudgetThatThePlanLeavesUnused) {
    // Twice: the contexts of a model have changed.
    EXPECT_THAT(told(written(), {64 * kMiB, 64 * kMiB}),
                ElementsAre("warning: the plan is for 1 MiB and 64 are there: "
                            "llama-pshard-plan-params -mva 64 makes one that uses them"));
    // No device has what was given.
    EXPECT_THAT(told(written(), {9999999 * kMiB}),
                ElementsAre(EndsWith("1 MiB and 24000 are there: llama-pshard-plan-params -mva "
                                     "24000 makes one that uses them")));
    EXPECT_THAT(told(written(), {24000 * kMiB}), ElementsAre(HasSubstr("and 24000 are there")));
}

TEST_F(ChoiceOfPlan, IsNoWarningWhereTheBudgetIsUsed) {
    EXPECT_THAT(told(written(), {kMiB}), IsEmpty());
    registry_.sections[1].variants[0].budget_mib = 58;
    EXPECT_THAT(told(written(), {64 * kMiB}), IsEmpty());
    // What nobody gave: the planner leaves 1024 MiB of the device, and the driver's.
    registry_.sections[1].variants[0].budget_mib = 3000;
    EXPECT_THAT(told(written(), {4000 * kMiB}, 4000 * kMiB), IsEmpty());
    EXPECT_EQ(told(written(), {4000 * kMiB}).size(), 1U);
}

// By the rate that the planner has left in the registry: nothing is searched again.
TEST_F(ChoiceOfPlan, WarnsOnceWhereStockIsFaster) {
    RegistryTier& tier = registry_.sections[1].variants[0].tiers.back();
    tier.tps = 10;
    tier.pshard.tps = 10;
    tier.pshard.tps_stock = 15;
    EXPECT_THAT(told(written(), {kMiB, kMiB}),
                ElementsAre("warning: with batches of up to 4 tokens stock llama.cpp alone should "
                            "be 1.50 times as fast: for runs of such batches alone leave --device "
                            "PSHARD0 out"));
    tier.pshard.tps_stock = 10;
    EXPECT_THAT(told(written(), {kMiB}), IsEmpty());
}

// The second model of a process has what the first one leaves, and a plan may leave some itself.
TEST_F(ChoiceOfPlan, IsNoWarningWhereModelsShareTheBudget) {
    EXPECT_EQ(told(written(), {70 * kMiB}).size(), 1U);
    registry_.sections[1].variants[0].budget_mib = 64;
    registry_.sections[1].variants[0].pshard.shared = 63 * kMiB;
    EXPECT_THAT(told(written(), {64 * kMiB, 32 * kMiB}), IsEmpty());
    registry_.sections[1].variants[0].budget_mib = 10;
    registry_.sections[1].variants[0].pshard.shared = std::nullopt;
    PluginSettings both = written();
    both.plans = {};
    registry_.sections[0].variants[0].budget_mib = 64;
    std::ofstream(both.registry) << to_text(registry_);
    EXPECT_THAT(told(both, {64 * kMiB, 32 * kMiB}), IsEmpty());
}

TEST_F(ChoiceOfPlan, WarnsOnceOfHostMemoryThatIsNotThere) {
    EXPECT_THAT(
        told(written(), {kMiB, kMiB}, 24000 * kMiB, 1),
        ElementsAre(HasSubstr("MiB of weights and cache in host memory, and 0 were available")));
    EXPECT_THAT(told(written(), {kMiB}, 24000 * kMiB, kGiB), IsEmpty());
}

TEST_F(ChoiceOfPlan, IsNoWarningWhereAllIsResident) {
    for (RegistryTier& tier : registry_.sections[1].variants[0].tiers) {
        tier.pshard.plan = everything_resident(planning_.inventory.n_layers);
    }
    EXPECT_TRUE(match({{kNew}}).all_resident);
    EXPECT_FALSE(match({{kOld}}).all_resident);
    EXPECT_THAT(told(written(), {64 * kMiB}), Not(Contains(HasSubstr("are there"))));
    registry_.sections[0].variants[0].baseline_vram_mib = 1;
    EXPECT_TRUE(match({{kOld}}).all_resident);
}

}  // namespace
}  // namespace pshard
