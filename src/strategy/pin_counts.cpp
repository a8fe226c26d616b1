#include "strategy/pin_counts.h"

#include "strategy/counts.h"

namespace pshard {
namespace {

void add_overflows(const PlanChoice& whole,
                   int n_layers,
                   const Sizing& sizing,
                   std::vector<PlanChoice>& choices) {
    if (whole.n_pinned >= n_layers) return;
    for (const Overflow overflow : kOverflows) {
        PlanChoice part = whole;
        part.overflow = overflow;
        if (sizing.fits(part)) choices.push_back(part);
    }
}

void propose_with(const PlanChoice& base,
                  int n_layers,
                  const Sizing& sizing,
                  std::vector<PlanChoice>& choices) {
    const auto with = [&](int n) {
        PlanChoice choice = base;
        choice.n_pinned = n;
        return choice;
    };
    if (!sizing.fits(with(0))) return;
    const int top = tries_all(n_layers)
                        ? n_layers
                        : largest(0, n_layers, [&](int n) { return sizing.fits(with(n)); });
    for (const int n : counts_to(n_layers, top)) {
        if (!sizing.fits(with(n))) continue;
        choices.push_back(with(n));
        if (n == top || tries_all(n_layers)) add_overflows(with(n), n_layers, sizing, choices);
    }
}

}  // namespace

std::vector<PlanChoice> propose_pin_counts(Strategy strategy,
                                           const Inventory& inventory,
                                           const Sizing& sizing) {
    std::vector<PlanChoice> choices;
    for (const bool output_on_gpu : {false, true}) {
        PlanChoice base;
        base.strategy = strategy;
        base.output_on_gpu = output_on_gpu;
        propose_with(base, inventory.n_layers, sizing, choices);
    }
    return choices;
}

}  // namespace pshard
