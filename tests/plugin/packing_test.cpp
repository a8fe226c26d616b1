#include "plugin/packing.h"

#include "plan/lowered.h"
#include "strategy/expand.h"
#include "support/testing.h"
#include "support/toy_models.h"

namespace pshard {
namespace {

// Three layers, all streamed, and a fourth that no graph reads: it drafts, with a large cache.
class Packing : public testing::Test {
protected:
    Packing() : model_(toy_model({.n_layers = 3, .n_embd = 64, .n_ff = 128, .n_cells = 32})) {
        model_.n_layers = 4;
        Weight weight = model_.weights.back();
        weight.name = "blk.3.nextn.eh_proj.weight";
        weight.layer = 3;
        weight.side = Side::Attention;
        model_.weights.push_back(weight);
        State state = model_.states.front();
        state.name = "cache_k_l3";
        state.layer = 3;
        state.bytes = state.alloc_bytes = kCache;
        model_.states.push_back(state);
    }

    std::vector<TierChoice> streamed() const {
        return same_in_all_tiers(model_,
                                 {.strategy = Strategy::GpuOnlyLayerPinLayerStream, .n_pinned = 0});
    }

    // What the graphs alone need.
    Bytes least() const {
        Bytes bytes = 0;
        for (const TierChoice& tier : streamed()) {
            const Placement placement = expand({model_, *tier.graph}, tier.choice);
            const Lowered lowered = lower({model_, *tier.graph}, placement, tier.options);
            bytes = std::max(
                bytes,
                arena_bytes(model_, {placement, lowered.slots[0], lowered.scratch.gpus[0].peak}));
        }
        return bytes;
    }

    static constexpr Bytes kCache = 1 << 20;

    Inventory model_;
};

TEST_F(Packing, HasSlotsForTheLayersThatDraft) {
    const Orders orders =
        test::value_of(orders_of(model_, streamed(), least(), least() + 2 * kCache));
    for (const TierArena& tier : orders.arena.tiers) EXPECT_GE(tier.slots.pair, kCache);
}

// Such a pass is then computed otherwise, and says so; it is no reason to refuse the plan.
TEST_F(Packing, GoesWithoutThemWhereNothingHasRoom) {
    const Orders orders = test::value_of(orders_of(model_, streamed(), least()));
    for (const TierArena& tier : orders.arena.tiers) EXPECT_LT(tier.slots.pair, kCache);
}

// One pinned layer less fits again.
TEST_F(Packing, FitsATierByPinningLess) {
    TierChoice tier = streamed().front();
    tier.choice.strategy = Strategy::StaticAttnPrio;
    tier.choice.n_pinned = tier.choice.n_attn_pinned = 2;
    TierChoice one = tier;
    one.choice.n_pinned = one.choice.n_attn_pinned = 1;
    const Placement placement = expand({model_, *one.graph}, one.choice);
    const Lowered lowered = lower({model_, *one.graph}, placement, one.options);
    const Bytes room =
        arena_bytes(model_, {placement, lowered.slots[0], lowered.scratch.gpus[0].peak});
    EXPECT_EQ(fitted(model_, one, room).choice, one.choice);
    EXPECT_EQ(fitted(model_, tier, room).choice, one.choice);
    EXPECT_EQ(fitted(model_, tier, 0).choice.n_pinned, 0) << "the CPU has it all";
    const TierChoice slots = streamed().front();
    EXPECT_EQ(fitted(model_, slots, 1).choice, slots.choice) << "nothing fits";
}

}  // namespace
}  // namespace pshard
