// How many layers a strategy tries to pin.
#pragma once

#include <array>
#include <vector>

#include "strategy/rules.h"

namespace pshard {

// Up to so many layers a strategy proposes every choice that fits.
inline constexpr int kExhaustiveLayers = 12;

inline constexpr std::array kOverflows = {
    Overflow::Attn, Overflow::Up, Overflow::Gate, Overflow::Moe};

constexpr bool tries_all(int n_layers) { return n_layers <= kExhaustiveLayers; }

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

// The counts that are worth a look when counts up to `top` fit, descending: all, or a ladder.
std::vector<int> counts_to(int n_layers, int top);

}  // namespace pshard
