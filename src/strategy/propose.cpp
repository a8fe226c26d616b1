#include "strategy/propose.h"

#include <algorithm>
#include <array>

namespace pshard {
namespace {

constexpr std::array kOverflows = {Overflow::Attn, Overflow::Up, Overflow::Gate, Overflow::Moe};

// The largest n in [low, high] with fits(n), given that fits(low); bytes grow with n.
template <typename Fits>
int largest(int low, int high, const Fits& fits) {
    if (fits(high)) return high;
    while (high - low > 1) {
        const int middle = low + (high - low) / 2;
        (fits(middle) ? low : high) = middle;
    }
    return low;
}

bool tries_all(int n_layers) { return n_layers <= kExhaustiveLayers; }

// The counts that are worth a look when counts up to `top` fit: all, or a ladder of them.
std::vector<int> counts_to(int n_layers, int top) {
    const int step = tries_all(n_layers) ? 1 : std::max(1, n_layers / 8);
    std::vector<int> counts;
    for (int n = top; n > 0; n -= std::min(n, step)) counts.push_back(n);
    counts.push_back(0);
    return counts;
}

void add_overflows(const PlanChoice& whole,
                   int n_layers,
                   const Sizing& sizing,
                   std::vector<PlanChoice>& choices) {
    if (whole.n_pinned >= n_layers) return;
    for (const Overflow overflow : kOverflows) {
        PlanChoice part = whole;
        part.overflow = overflow;
        if (part.strategy == Strategy::StaticAttnPrio) {
            part.n_attn_pinned = std::max(part.n_attn_pinned, part.n_pinned + 1);
        }
        if (sizing.fits(part)) choices.push_back(part);
    }
}

// Strategies with one count: as many pinned layers as fit, and fewer.
void propose_pins(PlanChoice base,
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

PlanChoice static_choice(PlanChoice base, int n_full, int n_attn) {
    base.n_pinned = n_full;
    base.n_attn_pinned = n_attn;
    return base;
}

// With n_full whole layers: as much attention as fits beside them, and none; all between for few
// layers. A part of one more layer where it is worth it.
void propose_beside(const PlanChoice& base,
                    int n_full,
                    int n_layers,
                    const Sizing& sizing,
                    std::vector<PlanChoice>& choices) {
    const int n_attn = largest(
        n_full, n_layers, [&](int n) { return sizing.fits(static_choice(base, n_full, n)); });
    const int step = tries_all(n_layers) ? 1 : std::max(1, n_attn - n_full);
    for (int n = n_attn; n >= n_full; n -= step) {
        const PlanChoice choice = static_choice(base, n_full, n);
        if (sizing.fits(choice)) choices.push_back(choice);
    }
}

// Two counts: for each number of whole layers as much attention as fits beside them.
void propose_static(const PlanChoice& base,
                    int n_layers,
                    const Sizing& sizing,
                    std::vector<PlanChoice>& choices) {
    if (!sizing.fits(static_choice(base, 0, 0))) return;
    const int attn_top =
        largest(0, n_layers, [&](int n) { return sizing.fits(static_choice(base, 0, n)); });
    const int beside =
        largest(0, attn_top, [&](int n) { return sizing.fits(static_choice(base, n, attn_top)); });
    const int whole =
        largest(0, n_layers, [&](int n) { return sizing.fits(static_choice(base, n, n)); });
    std::vector<int> fulls = counts_to(n_layers, whole);
    if (std::find(fulls.begin(), fulls.end(), beside) == fulls.end()) fulls.push_back(beside);
    const std::size_t before = choices.size();
    for (const int n_full : fulls) {
        if (!sizing.fits(static_choice(base, n_full, n_full))) continue;
        propose_beside(base, n_full, n_layers, sizing, choices);
    }
    const std::vector<PlanChoice> wholes(choices.begin() + static_cast<std::ptrdiff_t>(before),
                                         choices.end());
    for (const PlanChoice& choice : wholes) {
        const bool widest = choice == static_choice(base, beside, attn_top);
        if (widest || tries_all(n_layers)) add_overflows(choice, n_layers, sizing, choices);
    }
}

// Plans that leave KV on the CPU are proposed from the back too: so -ngl can run them.
void propose_static_both_ends(PlanChoice base,
                              int n_layers,
                              const Sizing& sizing,
                              std::vector<PlanChoice>& choices) {
    const std::size_t before = choices.size();
    propose_static(base, n_layers, sizing, choices);
    const bool leaves_kv =
        std::any_of(choices.begin() + static_cast<std::ptrdiff_t>(before),
                    choices.end(),
                    [&](const PlanChoice& choice) { return choice.n_attn_pinned < n_layers; });
    if (!leaves_kv) return;
    base.pin_from_back = true;
    propose_static(base, n_layers, sizing, choices);
}

}  // namespace

std::vector<PlanChoice> propose(Strategy strategy,
                                const Inventory& inventory,
                                const Sizing& sizing) {
    std::vector<PlanChoice> choices;
    for (const bool output_on_gpu : {false, true}) {
        PlanChoice base;
        base.strategy = strategy;
        base.output_on_gpu = output_on_gpu;
        if (strategy == Strategy::StaticAttnPrio) {
            propose_static_both_ends(base, inventory.n_layers, sizing, choices);
        } else {
            propose_pins(base, inventory.n_layers, sizing, choices);
        }
    }
    return choices;
}

namespace {

PlanChoice fit_choice(int n_full,
                      int n_attn,
                      bool output_on_gpu,
                      Overflow overflow = Overflow::None) {
    PlanChoice choice;
    choice.strategy = Strategy::StaticFitParams;
    choice.n_pinned = n_full;
    choice.n_attn_pinned = n_attn;
    choice.output_on_gpu = output_on_gpu;
    choice.overflow = overflow;
    choice.pin_from_back = true;
    return choice;
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

}  // namespace

std::vector<PlanChoice> propose_stock_fit(const Inventory& inventory, const Sizing& sizing) {
    const bool moe = inventory.n_experts > 0;
    const PlanChoice none = fit_choice(0, 0, false);
    if (!sizing.fits(none)) return {};
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

}  // namespace pshard
