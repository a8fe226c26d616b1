// What a launcher knows of a run, and which plans serve it. What a device knows is in
// plugin/choice_of_plan_test.cpp and differences_test.cpp.
#include "planner/registry_match.h"
#include "planner/registry_form.h"
#include "support/testing.h"
#include "support/toy_planning.h"

namespace pshard {
namespace {

constexpr Hash64 kSection{0xa};

// One plan of 1 MiB for batches of up to 4 tokens at depth 2, in a context of 32 tokens.
class AskedPlans : public test::ToyPlanning {
protected:
    AskedPlans() {
        planning_.inventory.context.n_ubatch = 4;
        search();
        RegistrySection& section = registry_.sections.emplace_back();
        section.fingerprint = kSection;
        section.variants = {to_registry_variant(planning_)};
        run_.named = {{kSection}};
        run_.asked = AskedRun{.budget_mib = 1, .n_ctx = 32};
    }

    RegistryVariant& plan() { return registry_.sections[0].variants[0]; }

    bool serves() const { return !find_plans(registry_, run_).best.empty(); }

    Registry registry_;
    KnownRun run_;
};

TEST_F(AskedPlans, ServeTheRunThatTheyWereMadeFor) { EXPECT_TRUE(serves()); }

TEST_F(AskedPlans, ServeNoOtherRun) {
    const std::vector<std::pair<const char*, std::function<void(AskedRun&)>>> others = {
        {"budget", [](AskedRun& asked) { asked.budget_mib = 2; }},
        {"cache", [](AskedRun& asked) { asked.kv_unified = true; }},
        {"windows", [](AskedRun& asked) { asked.swa_full = true; }},
        {"ubatch", [](AskedRun& asked) { asked.n_ubatch = 2; }},
        {"depth", [](AskedRun& asked) { asked.depth = 3; }}};
    for (const auto& [what, change] : others) {
        const KnownRun before = run_;
        change(*run_.asked);
        EXPECT_FALSE(serves()) << what;
        run_.asked = before.asked;
    }
    run_.named = {{Hash64{0xb}}};
    EXPECT_FALSE(serves());
}

// A file's size does not tell two quantizations of a split model apart, whose first file is a stub.
TEST_F(AskedPlans, ServeTheModelThatTheyWereMadeFor) {
    plan().pshard.tensors = Hash64{7};
    EXPECT_TRUE(serves());  // nobody has looked at the model
    run_.asked->tensors = Hash64{7};
    EXPECT_TRUE(serves());
    run_.asked->tensors = Hash64{8};
    EXPECT_FALSE(serves());
    plan().pshard.tensors.reset();  // an older planner does not tell
    EXPECT_TRUE(serves());
}

// The device would refuse them: so does who starts it.
TEST_F(AskedPlans, ServeNobodyWhereTheyPinMoreThanThereIs) {
    const int n_layers = planning_.inventory.n_layers;
    run_.asked->n_layers = n_layers;
    EXPECT_TRUE(serves());
    PlanChoice choice = plan().tiers[0].pshard.plan.value_or(plan().tiers[0].choice);
    choice.n_pinned = n_layers + 1;
    plan().tiers[0].pshard.plan = choice;
    const FoundPlans found = find_plans(registry_, run_);
    EXPECT_THAT(found.best, IsEmpty());
    EXPECT_THAT(found.damaged, SizeIs(1));
    EXPECT_THAT(found.reason, HasSubstr("keep more layers on the GPU than the model has"));
    run_.asked->n_layers.reset();  // nobody has looked at the model
    EXPECT_TRUE(serves());
    plan().pshard.weights.reset();
    EXPECT_FALSE(serves());
}

TEST_F(AskedPlans, AreNamedByTheirWeights) {
    run_.named = {{kSection, plan().cache_ubatch, plan().pshard.weights}};
    EXPECT_TRUE(serves());
    run_.named[0].weights = Hash64{7};
    EXPECT_FALSE(serves());
}

// A plan leaves its part to what it was shared with, and to nothing else; older files do not say
// what that was.
TEST_F(AskedPlans, ServeTheRunThatSharesItsBudgetLikewise) {
    plan().pshard.shared = kMiB / 2;
    EXPECT_FALSE(serves());
    run_.asked->sharers = Hash64{7};
    EXPECT_FALSE(serves());
    plan().pshard.sharers = Hash64{7};
    EXPECT_TRUE(serves());
    run_.asked->sharers = Hash64{8};
    EXPECT_FALSE(serves());
    run_.asked->sharers.reset();
    EXPECT_FALSE(serves());
    plan().pshard.shared.reset();  // n-grams draft, and take nothing
    EXPECT_FALSE(serves());
}

// 8 tokens do not fit into a context of 4: the largest tier is the context.
TEST_F(AskedPlans, CutTheUbatchToTheContext) {
    run_.asked->n_ubatch = 8;
    EXPECT_FALSE(serves());
    run_.asked->n_ctx = 4;
    EXPECT_TRUE(serves());
}

// Batches of 8 tokens were asked for as well, and left out since those of 4 are faster.
TEST_F(AskedPlans, AreForTheTiersThatWereAskedForAsWell) {
    run_.asked->largest = 8;
    EXPECT_FALSE(serves());
    plan().pshard.asked_ubatch = 8;
    EXPECT_TRUE(serves());
    run_.asked->n_ubatch = 8;  // named: it would have a tier
    EXPECT_FALSE(serves());
    run_.asked->n_ubatch = 4;
    EXPECT_TRUE(serves());
}

// The planned device has no kernel for a weight of layer 0, and does not see it; another one does.
TEST_F(AskedPlans, ServeADeviceThatComputesMore) {
    const Inventory seen = planning_.inventory;
    const auto weight = std::ranges::find(planning_.inventory.weights, 0, &Weight::layer);
    ASSERT_NE(weight, planning_.inventory.weights.end());
    weight->side = Side::Input;
    plan().pshard = plan_key(planning_.inventory, *plan().pshard.machine);
    EXPECT_FALSE(find_plans(registry_, {{}, SeenRun{seen, kMiB}, std::nullopt}).best.empty());
    EXPECT_FALSE(
        find_plans(registry_, {{}, SeenRun{planning_.inventory, kMiB}, std::nullopt}).best.empty());
    plan().pshard.all_weights.reset();
    EXPECT_TRUE(find_plans(registry_, {{}, SeenRun{seen, kMiB}, std::nullopt}).best.empty());
}

// A named ubatch sizes a cache of sliding windows, and was compared with no other.
TEST_F(AskedPlans, OfANamedUbatchServeNoRunThatNamesNone) {
    run_.asked->largest = 16;
    EXPECT_FALSE(serves());  // -ub 4, then none
    run_.asked->largest = 4;
    EXPECT_TRUE(serves());
    plan().pshard.windowed = true;
    EXPECT_FALSE(serves());
    plan().pshard.asked_ubatch = 4;
    EXPECT_TRUE(serves());
}

// Of a device's run with a ubatch of 8 tokens.
TEST_F(AskedPlans, SayWhyALargerUbatchHasNone) {
    Inventory seen = planning_.inventory;
    seen.graphs.back().n_tokens = 8;
    const KnownRun run{{}, SeenRun{seen, kMiB}, std::nullopt};
    EXPECT_EQ(find_plans(registry_, run).reason,
              "its plans are for -ub 4, this run reserves 8 tokens");
    plan().pshard.asked_ubatch = 16;
    EXPECT_EQ(
        find_plans(registry_, run).reason,
        "its plans are for -ub 4, as larger batches were reckoned slower, this run reserves 8 "
        "tokens");
}

TEST_F(AskedPlans, ServeSmallerUbatchesOfSlidingWindows) {
    Inventory seen = planning_.inventory;
    for (State& state : seen.states) state.bytes /= 2;
    const KnownRun run{{}, SeenRun{seen, kMiB}, std::nullopt};
    EXPECT_TRUE(find_plans(registry_, run).best.empty());
    plan().pshard.smaller_states = to_text(Hash64{7}) + "," + to_text(states_hash(seen.states));
    EXPECT_EQ(find_plans(registry_, run).best.size(), 1U);
}

// Whatever is not asked for does not matter.
TEST_F(AskedPlans, ServeAnyDepthAndUbatchWhereNoneIsAskedFor) {
    for (RegistryTier& tier : plan().tiers) tier.pshard.depth = 31;
    plan().pshard.n_ubatch = 16;
    EXPECT_TRUE(serves());
}

TEST_F(AskedPlans, ServeNobodyWhereTheyAreSharedDamagedOrOfAnotherForm) {
    const RegistryVariant good = plan();
    plan().pshard.shared = 1;
    EXPECT_FALSE(serves());
    plan() = good;
    plan().pshard.version = kPshardVersion + 1;
    EXPECT_FALSE(serves());
    plan() = good;
    plan().tiers[0].damaged = true;
    plan().tiers[0].viable = false;
    const FoundPlans found = find_plans(registry_, run_);
    EXPECT_TRUE(found.best.empty());
    EXPECT_EQ(found.damaged.size(), 1U);
}

// Only the run that a changed plan would serve misses it.
TEST_F(AskedPlans, ThatWereChangedAreMissedByTheirOwnRunOnly) {
    const auto n_missed = [&] {
        const FoundPlans found = find_plans(registry_, run_);
        EXPECT_TRUE(found.best.empty());
        return found.damaged.size();
    };
    plan().altered = Place{"f", 8, 1};
    EXPECT_EQ(n_missed(), 1U);
    run_.asked->n_ubatch = 2;
    EXPECT_EQ(n_missed(), 0U);
    run_.asked->n_ubatch.reset();
    run_.asked->kv_unified = true;
    EXPECT_EQ(n_missed(), 0U);
    run_.asked.reset();
    Inventory seen = planning_.inventory;
    run_.seen.emplace(SeenRun{seen, kMiB});
    EXPECT_EQ(n_missed(), 1U);
    seen.states[0].bytes *= 2;
    EXPECT_EQ(n_missed(), 0U);
}

TEST_F(AskedPlans, EndWithTheNewest) {
    registry_.sections[0].variants.push_back(plan());
    const FoundPlans found = find_plans(registry_, run_);
    ASSERT_EQ(found.best.size(), 2U);
    EXPECT_EQ(found.best.back().variant, &registry_.sections[0].variants[1]);
}

}  // namespace
}  // namespace pshard
