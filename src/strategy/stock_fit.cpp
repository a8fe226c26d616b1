// STATIC_FITPARAMS_DENSEPRIO_MOEONLY: what llama.cpp's --fit comes to when `sizing` answers for
// stock's memory (common/fit.cpp, v0.5.0).
//
// In:  the model, and how many device bytes a choice takes.
// Out: one choice, or none if nothing fits. It is all there is (is_fixed): the search changes no
//      count of it.
//
//   dense models   the head, then whole layers from the back, as -ngl counts them
//   MoE models     the same without routed experts; if all of that fits, the routed experts of
//                  whole layers, from the front; then a part of one more layer
//
//   layers      0    1    2    3    4    5          n_attn_pinned = 4, n_pinned = 2
//   on the GPU  -    -    all  all  all but the experts
//                         [-------- n_attn_pinned ----]
//
// n_attn_pinned layers from the back have all but their routed experts on the GPU; the first
// n_pinned of those have the experts too. Dense FFNs and shared experts stay with the attention of
// their layer.
//
// Traps:
// * `rank` counts from the first layer that is on the GPU, not from layer 0 as in other strategies.
// * The head comes before any layer: -ngl 1 is the head alone.
// * A part of one more layer must take less than the budget; whole layers may fill it.
// * Without a part, a layer beyond n_pinned keeps all but its experts: Overflow::Moe would say the
//   same, and is never tried.
#include <algorithm>

#include "strategy/counts.h"

namespace pshard {
namespace {

LayerSplit lanes(const PlanChoice& choice, const LayerPlace& at) {
    const int rank = at.layer - (at.n_layers - choice.n_attn_pinned);
    if (rank < 0) return whole_layer(Lane::Cpu);
    return pinned_lanes(choice, rank, Lane::Cpu)
        .value_or(LayerSplit{Lane::Gpu, Lane::Cpu, &kExpertsPart});
}

PlanChoice fit_choice(int n_full, int n_attn, bool output_on_gpu) {
    return {.strategy = Strategy::StaticFitParams,
            .n_pinned = n_full,
            .n_attn_pinned = n_attn,
            .output_on_gpu = output_on_gpu,
            .pin_from_back = true};
}

// A part of one more layer, in the order in which common/fit.cpp tries them.
PlanChoice with_part(const PlanChoice& whole, const Sizing& sizing) {
    const auto part = [&](Overflow overflow) {
        PlanChoice choice = whole;
        choice.overflow = overflow;
        return choice;
    };
    const auto below = [&](const PlanChoice& choice) {
        return sizing.bytes(choice) < sizing.budget;
    };
    if (below(part(Overflow::Up))) {
        return below(part(Overflow::Gate)) ? part(Overflow::Gate) : part(Overflow::Up);
    }
    return below(part(Overflow::Attn)) ? part(Overflow::Attn) : whole;
}

PlanChoice fit_experts(const Inventory& inventory, const Sizing& sizing) {
    const int n_layers = inventory.n_layers;
    const int n_full =
        largest(0, n_layers, [&](int n) { return sizing.fits(fit_choice(n, n_layers, true)); });
    const PlanChoice whole = fit_choice(n_full, n_layers, true);
    return n_full < n_layers ? with_part(whole, sizing) : whole;
}

std::vector<PlanChoice> propose(const Inventory& inventory, const Sizing& sizing) {
    const bool moe = inventory.n_experts > 0;
    if (!sizing.fits(fit_choice(0, 0, false))) return {};
    // -ngl counts the head first, then layers from the back.
    const auto with_ngl = [&](int ngl) {
        const int n_layers = std::max(0, ngl - 1);
        return fit_choice(moe ? 0 : n_layers, n_layers, ngl > 0);
    };
    const int ngl =
        largest(0, inventory.n_layers + 1, [&](int n) { return sizing.fits(with_ngl(n)); });
    const bool all_dense = ngl == inventory.n_layers + 1;
    if (moe && all_dense) return {fit_experts(inventory, sizing)};
    return {with_ngl(ngl)};
}

}  // namespace

extern const StrategyRule kStockFit;
const StrategyRule kStockFit{.name = "STATIC_FITPARAMS_DENSEPRIO_MOEONLY",
                             .id = Strategy::StaticFitParams,
                             .is_published = false,
                             .is_static = true,
                             .slices = false,
                             .is_fixed = true,
                             .lanes = lanes,
                             .propose = propose};

}  // namespace pshard
