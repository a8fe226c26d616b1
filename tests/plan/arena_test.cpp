#include "plan/arena.h"

#include <random>

#include "support/testing.h"
#include "support/toy_models.h"
#include "verify/verify.h"

namespace pshard {
namespace {

constexpr Bytes kNone = kNoOffset;

// Weights of the given sizes and nothing else.
Inventory weights_of(const std::vector<Bytes>& sizes, Bytes alignment = 1) {
    Inventory inventory;
    inventory.device.alignment = alignment;
    for (std::size_t i = 0; i < sizes.size(); i++) {
        Weight weight;
        weight.name = "w" + std::to_string(i);
        weight.bytes = sizes[i];
        weight.alloc_bytes = align_up(sizes[i], alignment);
        inventory.weights.push_back(weight);
    }
    return inventory;
}

// A tier that keeps the weights marked 'x' in `resident`.
TierDemand keeps(const std::string& resident, SlotSizes slots = {}, Bytes scratch = 0) {
    TierDemand demand;
    for (char mark : resident)
        demand.placement.weights.push_back(mark == 'x' ? Lane::Gpu : Lane::Cpu);
    demand.slots = slots;
    demand.scratch = scratch;
    return demand;
}

std::vector<std::string> check(const Inventory& inventory,
                               const std::vector<TierDemand>& tiers,
                               const ArenaLayout& layout) {
    std::vector<Placement> placements;
    for (const TierDemand& tier : tiers) placements.push_back(tier.placement);
    return verify_arena(inventory, placements, layout);
}

TEST(PackArena, LaysOutOneTier) {
    const Inventory inventory = weights_of({10, 20, 30});
    const TierDemand tier = keeps("x.x", {7, 5}, 9);
    EXPECT_EQ(arena_bytes(inventory, tier), 10u + 30 + 7 + 5 + 9);
    const auto layout = test::value_of(pack_arena(inventory, {tier}, 100));
    //   [w0 0..10)[w2 10..40)[slots 40..47)[experts 47..52)[scratch 52..61) free
    const TierArena& arena = layout.tiers[0];
    EXPECT_EQ(layout.common_end, 40u);
    EXPECT_EQ(arena.weights[1], kNone);
    EXPECT_EQ(arena.slots_begin, 40u);
    EXPECT_EQ(arena.slots, (SlotSizes{7, 5}));
    EXPECT_EQ(arena.scratch_begin, 52u);
    EXPECT_EQ(arena.scratch, 9u);
    EXPECT_EQ(arena.end, 61u);
    EXPECT_THAT(check(inventory, {tier}, layout), IsEmpty());
}

//   tier 0   [w0 10][w2 30]|[w1 20][scratch 10]         70
//   tier 1   [w0 10][w2 30]|[scratch 40       ]         80
//   tier 2   [w0 10][w2 30]|[w1 20][w3 5][scratch 1]    66
TEST(PackArena, KeepsCommonTensorsInPlaceAndSharesTheRest) {
    const Inventory inventory = weights_of({10, 20, 30, 5});
    const std::vector<TierDemand> tiers = {
        keeps("xxx.", {}, 10), keeps("x.x.", {}, 40), keeps("xxxx", {}, 1)};
    const auto packed = test::value_of(pack_arena(inventory, tiers, 80));
    const ArenaLayout& layout = packed;
    EXPECT_EQ(layout.common_end, 40u);
    EXPECT_EQ(layout.tiers[0].weights[1], layout.tiers[2].weights[1]);
    EXPECT_EQ(switch_bytes(inventory, layout.tiers[0], layout.tiers[2]).total(), 5u);
    EXPECT_THAT(check(inventory, tiers, layout), IsEmpty());
}

// No address of w0, w1, w2 serves all three pairs in 30 bytes: what does not fit is laid out anew.
//
//   tier 0 [w0 10][w1 20]   tier 1 [w1 20][w2 10]   tier 2 [w0 10][w2 10][scratch 10]
TEST(PackArena, GivesSharingUpRatherThanBytes) {
    const Inventory inventory = weights_of({10, 20, 10});
    const std::vector<TierDemand> tiers = {keeps("xx."), keeps(".xx"), keeps("x.x", {}, 10)};
    const auto packed = test::value_of(pack_arena(inventory, tiers, 30));
    EXPECT_EQ(packed.common_end, 0u);
    EXPECT_THAT(check(inventory, tiers, packed), IsEmpty());
}

TEST(PackArena, NamesTheTierThatDoesNotFit) {
    const Inventory inventory = weights_of({10 * kMiB, 20 * kMiB});
    const std::vector<TierDemand> tiers = {keeps("x."), keeps("xx", {4 * kMiB, 0}, 8 * kMiB)};
    const auto packed = pack_arena(inventory, tiers, 40 * kMiB);
    ASSERT_FALSE(packed.ok());
    EXPECT_THAT(packed.error().message, HasSubstr("tier 1 "));
    EXPECT_THAT(packed.error().message, HasSubstr("42.0 MiB"));
    EXPECT_THAT(packed.error().message, HasSubstr(" 2.0 MiB more"));
}

// Tiers that fit alone fit together, to the last byte [A11].
TEST(PackArena, FitsWhateverFitsAlone) {
    std::mt19937_64 engine(11);
    const auto below = [&](std::uint64_t n) { return engine() % n; };
    for (int round = 0; round < 2000; round++) {
        const Bytes alignment = below(2) == 0 ? 1 : 16;
        std::vector<Bytes> sizes(1 + below(12));
        for (Bytes& size : sizes) size = 1 + below(100);
        const Inventory inventory = weights_of(sizes, alignment);
        std::vector<TierDemand> tiers(1 + below(6));
        Bytes budget = 0;
        for (TierDemand& tier : tiers) {
            std::string resident;
            for (std::size_t i = 0; i < sizes.size(); i++) resident += below(3) != 0 ? 'x' : '.';
            tier = keeps(
                resident, {alignment * below(50), alignment * below(3)}, alignment * below(80));
            budget = std::max(budget, arena_bytes(inventory, tier));
        }
        const auto packed = pack_arena(inventory, tiers, budget);
        ASSERT_TRUE(packed.ok()) << "round " << round;
        ASSERT_THAT(check(inventory, tiers, packed.value()), IsEmpty()) << "round " << round;
    }
}

//   A at the begin of the pair, B at its end, experts behind it
TEST(GroupOffset, PutsTheSlotsAtTheEndsOfTheirRegion) {
    TierArena arena;
    arena.slots_begin = 100;
    arena.slots = {50, 30};
    StreamGroup group;
    group.slot = Slot::A;
    EXPECT_EQ(group_offset(arena, group, 20), 100u);
    group.slot = Slot::B;
    EXPECT_EQ(group_offset(arena, group, 20), 130u);
    group.slot = Slot::Experts;
    EXPECT_EQ(group_offset(arena, group, 20), 150u);
}

TEST(SwitchBytes, CountsOnlyTheDifference) {
    Inventory inventory = weights_of({10, 20, 30, 40});
    for (int layer = 0; layer < 4; layer++) {
        State state;
        state.bytes = state.alloc_bytes = Bytes{1} << layer;
        inventory.states.push_back(state);
    }
    TierArena from;
    TierArena to;
    //                 stays, moves, comes, goes
    from.weights = {0, 10, kNone, 50};
    to.weights = {0, 20, 50, kNone};
    from.states = {100, 110, kNone, 130};
    to.states = {100, 120, 130, kNone};
    const SwitchBytes bytes = switch_bytes(inventory, from, to);
    EXPECT_EQ(bytes.weights, 20u + 30u);
    EXPECT_EQ(bytes.states_down, 2u + 8u);  // what moves or goes
    EXPECT_GE(bytes.states_up, 4u);         // what comes
    EXPECT_EQ(bytes.total(), bytes.weights + bytes.states_up + bytes.states_down);
    EXPECT_EQ(switch_bytes(inventory, from, from), SwitchBytes{});
}

}  // namespace
}  // namespace pshard
