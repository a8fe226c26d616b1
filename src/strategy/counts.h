// Finds how many layers fit, with few questions: each makes the planner size a choice.
#pragma once

#include <algorithm>
#include <array>

#include "strategy/rules.h"

namespace pshard {

inline constexpr std::array kOverflows = {
    Overflow::Attn, Overflow::Up, Overflow::Gate, Overflow::Moe};

// The largest n below `over` with fits(n), given fits(n) and not fits(over); bytes grow with n.
template <typename Fits>
int largest_below(int n, int over, const Fits& fits) {
    while (over - n > 1) {
        const int middle = n + (over - n) / 2;
        (fits(middle) ? n : over) = middle;
    }
    return n;
}

// The largest n in [low, high] with fits(n), given that fits(low).
template <typename Fits>
int largest(int low, int high, const Fits& fits) {
    return fits(high) ? high : largest_below(low, high, fits);
}

// The same from a guess that is likely near: the search steps away from it, by 1, 2, 4, ...
template <typename Fits>
int largest_near(int guess, int low, int high, const Fits& fits) {
    guess = std::clamp(guess, low, high);
    int step = 1;
    if (fits(guess)) {
        while (guess + step <= high && fits(guess + step)) step *= 2;
        return largest_below(guess + step / 2, std::min(guess + step, high + 1), fits);
    }
    while (guess - step > low && !fits(guess - step)) step *= 2;
    return largest_below(std::max(guess - step, low), guess - step / 2, fits);
}

}  // namespace pshard
