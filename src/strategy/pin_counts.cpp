// Choices of a strategy that has one count, the number of pinned layers.
//
// In:  the strategy, the model, and how many device bytes a choice takes.
// Out: a dozen or two choices that fit the budget.
//
// Apart from the choices with a part of one more layer, all lie on four lines, each a way to pin:
//
//   front, head on the CPU    0 ............ half ............ top, top and a part of one more
//   back,  head on the CPU    0 .............................. top, top and a part of one more
//   front, head on the GPU    ...
//   back,  head on the GPU    ...
//
// Nothing but pinned layers competes for the memory, so the top of a line is its best or next to
// it; which line and which part win depends on the machine, and is for the search to find out. Half
// and none are proposed once for each head: they show what the memory brings.
//
// Traps:
// * Front and back differ. Layers differ in size (dense first layers, sliding windows), and what is
//   uploaded for the first layers of a pass has the end of the pass before to hide behind: up to
//   5 % of the rate on a slow link.
// * Bytes grow with the count but for the slots of streamed groups (src/search/tier_search.cpp), so
//   the top may be off by a layer or two. The search looks at its neighbours.
// * A line's top is near the last line's: the search for it begins there, and takes 3 questions
//   instead of 7.
#include "strategy/pin_counts.h"

#include "strategy/counts.h"

namespace pshard {
namespace {

// One way to pin: from the front or the back, with or without the head. All counts lie on a line.
class Line {
public:
    Line(PlanChoice base, int n_layers, const Sizing& sizing)
        : base_(base), n_layers_(n_layers), sizing_(sizing) {}

    bool fits(int n) const { return sizing_.fits(with(n)); }

    int top(int guess) const {
        return largest_near(guess, 0, n_layers_, [&](int n) { return fits(n); });
    }

    void add_top(int top, std::vector<PlanChoice>& choices) const {
        choices.push_back(with(top));
        if (top == n_layers_) return;
        for (const Overflow overflow : kOverflows) {
            PlanChoice part = with(top);
            part.overflow = overflow;
            if (sizing_.fits(part)) choices.push_back(part);
        }
    }

    void add_fewer(int top, std::vector<PlanChoice>& choices) const {
        if (top > 1) choices.push_back(with(top / 2));
        if (top > 0) choices.push_back(with(0));
    }

private:
    PlanChoice with(int n) const {
        PlanChoice choice = base_;
        choice.n_pinned = n;
        return choice;
    }

    PlanChoice base_;
    int n_layers_;
    const Sizing& sizing_;
};

}  // namespace

std::vector<PlanChoice> propose_pin_counts(Strategy strategy,
                                           const Inventory& inventory,
                                           const Sizing& sizing) {
    std::vector<PlanChoice> choices;
    int top = inventory.n_layers / 2;
    for (const bool output_on_gpu : {false, true}) {
        for (const bool pin_from_back : {false, true}) {
            const PlanChoice base{.strategy = strategy,
                                  .output_on_gpu = output_on_gpu,
                                  .pin_from_back = pin_from_back};
            const Line line(base, inventory.n_layers, sizing);
            if (!line.fits(0)) continue;
            top = line.top(top);
            line.add_top(top, choices);
            if (!pin_from_back) line.add_fewer(top, choices);
        }
    }
    return choices;
}

}  // namespace pshard
