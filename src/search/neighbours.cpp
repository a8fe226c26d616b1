#include "search/neighbours.h"

#include <algorithm>

namespace pshard {
namespace {

// Whether the counts make sense: a part of one more layer needs that layer, and its attention on
// the GPU.
bool has_sense(const PlanChoice& choice, bool is_static, int n_layers) {
    const int needed = choice.n_pinned + (choice.overflow == Overflow::None ? 0 : 1);
    if (choice.n_pinned < 0 || needed > n_layers) return false;
    return !is_static || (choice.n_attn_pinned >= needed && choice.n_attn_pinned <= n_layers);
}

}  // namespace

std::vector<PlanChoice> neighbours(const PlanChoice& from, bool is_static, int n_layers) {
    std::vector<PlanChoice> choices;
    const auto add = [&](int pinned, int attention, Overflow overflow) {
        PlanChoice choice = from;
        choice.n_pinned += pinned;
        if (is_static) choice.n_attn_pinned += attention;
        choice.overflow = overflow;
        if (has_sense(choice, is_static, n_layers)) choices.push_back(choice);
    };
    for (const Overflow overflow :
         {Overflow::None, Overflow::Attn, Overflow::Up, Overflow::Gate, Overflow::Moe}) {
        if (overflow != from.overflow) add(0, 0, overflow);
    }
    for (const int layers : {-2, -1, 1, 2}) add(layers, 0, from.overflow);
    if (!is_static) return choices;
    for (const int layers : {-1, 1}) {
        add(0, layers, from.overflow);
        add(layers, -layers, from.overflow);
    }
    if (from.overflow != Overflow::None) add(1, -1, Overflow::None);
    PlanChoice turned = from;
    turned.pin_from_back = !from.pin_from_back;
    choices.push_back(turned);
    return choices;
}

}  // namespace pshard
