// Packs the tiers of a plan into one arena.
//
// In: what llama.cpp has placed on PSHARD0, a choice for each tier, and a budget. Out: Orders.
//
//   choice -> expand -> lower -> the tier's demand   tensors | slots | scratch
//                                  all tiers' demands -> pack_arena
//
// Slots hold more than the tier's graph streams at once, as far as that fits. What is tried, until
// the tiers fit:
//
//   slots for                  budget
//   any layer at once          the plan's own
//   layers of what drafts      the plan's own
//   any layer at once          all that is left, where there is more
//   layers of what drafts      all that is left
//   the tier's graph alone     the plan's own, then all that is left
//
// Traps:
// * llama.cpp may compute a graph in pieces, and a piece may stream what the whole graph would not
//   at that point.
// * A context that drafts with MTP layers computes graphs that no tier is planned by; its cache may
//   be larger than any other layer's (f16 beside -ctk q8_0). The plan has left it a part of the
//   budget, which has room for its slot.
#include "plugin/packing.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/counted.h"
#include "plan/lowered.h"
#include "strategy/expand.h"

namespace pshard {
namespace {

// All that a layer streams ahead; if `on_demand`, its routed experts that are uploaded in slices.
StreamGroup group_of_layer(const Inventory& inventory,
                           const TierOrder& order,
                           int layer,
                           bool on_demand) {
    StreamGroup group;
    group.layer = layer;
    group.on_demand = on_demand;
    for (std::size_t i = 0; i < inventory.weights.size(); ++i) {
        const Weight& weight = inventory.weights[i];
        const bool streamed = weight.layer == layer && is_streamed(order.placement.weights[i]);
        const bool sliced = weight.routed && order.options.slice_experts;
        if (streamed && sliced == on_demand) group.weights.push_back(static_cast<int>(i));
    }
    for (std::size_t i = 0; i < inventory.states.size() && !on_demand; ++i) {
        const bool member =
            inventory.states[i].layer == layer && is_streamed(order.placement.states[i]);
        if (member) group.states.push_back(static_cast<int>(i));
    }
    return group;
}

// The layers of which the slots are to hold all that is streamed, whatever the tier's graph
// streams.
using SlotLayers = std::vector<int>;

// A graph in pieces may stream any layer at once; -1 stands for what is of no layer.
SlotLayers all_layers(const Inventory& inventory) {
    SlotLayers layers(static_cast<std::size_t>(inventory.n_layers) + 1);
    std::iota(layers.begin(), layers.end(), -1);
    return layers;
}

// The layers that only the graphs of another context read: those that draft.
SlotLayers unread_layers(const Inventory& inventory) {
    std::set<int> unread;
    for (const Weight& weight : inventory.weights) unread.insert(weight.layer);
    unread.erase(-1);
    const auto read = [&](const Ref& source) {
        if (source.kind != Ref::Kind::Weight) return;
        unread.erase(inventory.weights[static_cast<std::size_t>(source.index)].layer);
    };
    for (const Graph& graph : inventory.graphs) {
        for (const Node& node : graph.nodes) std::ranges::for_each(node.sources, read);
    }
    return {unread.begin(), unread.end()};
}

// The groups if each of the layers were streamed all at once.
std::vector<StreamGroup> groups_by_layer(const Inventory& inventory,
                                         const TierOrder& order,
                                         const SlotLayers& layers) {
    std::vector<StreamGroup> groups;
    for (const int layer : layers) {
        for (const bool on_demand : {false, true}) {
            StreamGroup group = group_of_layer(inventory, order, layer, on_demand);
            const bool streams = !group.weights.empty() || !group.states.empty();
            if (streams) groups.push_back(std::move(group));
        }
    }
    return groups;
}

TierDemand demand_of(const Inventory& inventory,
                     const TierChoice& tier,
                     const TierOrder& order,
                     const SlotLayers& layers) {
    // The planner's figure is better, where it gave one: llama.cpp reserves a row of logits for
    // every token, and few runs ever ask for them.
    const LowerUntil until = tier.scratch ? LowerUntil::Slots : LowerUntil::Scratch;
    const Lowered lowered = lower({inventory, *tier.graph}, order.placement, tier.options, until);
    TierDemand demand{
        order.placement, lowered.slots[0], tier.scratch.value_or(lowered.scratch.gpus[0].peak)};
    const SlotSizes by_layer = slot_sizes(inventory, groups_by_layer(inventory, order, layers));
    demand.slots.pair = std::max(demand.slots.pair, by_layer.pair);
    demand.slots.experts = std::max(demand.slots.experts, by_layer.experts);
    return demand;
}

Result<Orders> packed_orders(const Inventory& inventory,
                             const std::vector<TierChoice>& choices,
                             Bytes budget,
                             const SlotLayers& layers) {
    Orders orders;
    orders.budget = budget;
    std::vector<TierDemand> demands;
    for (const TierChoice& tier : choices) {
        Placement placement = expand({inventory, *tier.graph}, tier.choice);
        orders.tiers.push_back({tier.key,
                                std::move(placement),
                                tier.options,
                                text_of(tier),
                                {tier.tokens_per_second, tier.tokens_per_second_full}});
        demands.push_back(demand_of(inventory, tier, orders.tiers.back(), layers));
    }
    Result<ArenaLayout> arena = pack_arena(inventory, demands, budget);
    if (!arena) return arena.error();
    orders.arena = std::move(arena).value();
    return orders;
}

// The choice with a little less on the device; nullopt: it has nothing there.
std::optional<PlanChoice> with_less(PlanChoice choice) {
    if (choice.overflow != Overflow::None) {
        choice.overflow = Overflow::None;
    } else if (choice.n_pinned > 0) {
        if (choice.n_attn_pinned == choice.n_pinned) --choice.n_attn_pinned;
        --choice.n_pinned;
    } else if (choice.n_attn_pinned > 0) {
        --choice.n_attn_pinned;
    } else if (choice.output_on_gpu) {
        choice.output_on_gpu = false;
    } else {
        return std::nullopt;
    }
    return choice;
}

}  // namespace

std::string text_of(const TierChoice& tier) {
    const PlanChoice& choice = tier.choice;
    std::string text = fmt::format("{} with {} pinned, head on the {}",
                                   strategy_name(choice.strategy),
                                   counted(choice.n_pinned, "layer"),
                                   choice.output_on_gpu ? "GPU" : "CPU");
    const double rate = tier.tokens_per_second;
    if (rate > 0) text += fmt::format(", {} t/s expected", rate_text(rate));
    return text;
}

TierChoice fitted(const Inventory& inventory, const TierChoice& tier, Bytes budget) {
    TierChoice less = tier;
    while (!packed_orders(inventory, {less}, budget, {})) {
        const std::optional<PlanChoice> choice = with_less(less.choice);
        if (!choice) return tier;
        less.choice = *choice;
        less.scratch.reset();  // the planner's was of the choice
        less.tokens_per_second = 0;
        less.tokens_per_second_full = 0;
    }
    return less;
}

Result<Orders> orders_of(const Inventory& inventory,
                         const std::vector<TierChoice>& choices,
                         Bytes budget,
                         std::optional<Bytes> larger) {
    const std::vector<SlotLayers> roomy = {all_layers(inventory), unread_layers(inventory)};
    std::vector<Bytes> budgets = {budget};
    if (larger && *larger > budget) budgets.push_back(*larger);
    for (const Bytes each : budgets) {
        for (const SlotLayers& layers : roomy) {
            Result<Orders> orders = packed_orders(inventory, choices, each, layers);
            if (orders) return orders;
        }
    }
    Result<Orders> orders = packed_orders(inventory, choices, budget, {});
    return orders || budgets.size() == 1 ? orders
                                         : packed_orders(inventory, choices, budgets.back(), {});
}

}  // namespace pshard
