// STATIC_ATTNPRIO_ALLMODELS: nothing moves while a graph runs. The first n_pinned layers are whole
// on the GPU. The layers after them, up to n_attn_pinned, have their attention there with its KV.
// The CPU computes all the rest.
//
// In:  the model, and how many device bytes a choice takes.
// Out: some dozens of choices that fit the budget.
//
// The two counts make a plane of choices, above the diagonal:
//
//   n_attn_pinned
//        |  x      x      b             x  as much attention as fits beside n_pinned whole layers
//        |                       x      o  no attention beyond the whole layers
//        |                o             b  the most whole layers beside the most attention: here
//        |         o                       the parts of one more layer are tried, too
//        |  o
//        +-----------------------> n_pinned, in about eight steps
//
// Whole layers and attention compete for the memory. Which of them is worth more depends on the
// machine and the depth, and is for the search to find out.
//
// Traps:
// * A plan that leaves KV on the CPU is proposed from the back too: stock's -ngl keeps KV from the
//   back alone.
// * A part of one more layer needs that layer's attention on the GPU: add_parts() raises
//   n_attn_pinned where it must.
// * largest() bisects, and so takes bytes to grow with each count. Nothing is streamed, so only the
//   scratch may differ from that; the search tries the neighbours of what wins.
#include <algorithm>

#include "strategy/counts.h"

namespace pshard {
namespace {

LayerSplit lanes(const PlanChoice& choice, const LayerPlace& at) {
    const int rank = pin_rank(choice, at);
    if (const auto pinned = pinned_lanes(choice, rank, Lane::Cpu)) return *pinned;
    if (rank < choice.n_attn_pinned) return {Lane::Gpu, Lane::Cpu, &kFfnPart};
    return whole_layer(Lane::Cpu);
}

class Proposer {
public:
    Proposer(const Inventory& inventory, const Sizing& sizing)
        : n_layers_(inventory.n_layers), sizing_(sizing) {}

    std::vector<PlanChoice> run() {
        for (const bool output_on_gpu : {false, true}) {
            base_.output_on_gpu = output_on_gpu;
            base_.pin_from_back = false;
            const std::size_t before = choices_.size();
            add_all();
            if (!leaves_kv(before)) continue;
            base_.pin_from_back = true;
            add_all();
        }
        return std::move(choices_);
    }

private:
    PlanChoice with(int n_full, int n_attn) const {
        PlanChoice choice = base_;
        choice.n_pinned = n_full;
        choice.n_attn_pinned = n_attn;
        return choice;
    }

    bool fits(int n_full, int n_attn) const { return sizing_.fits(with(n_full, n_attn)); }

    // Whether some choice from `from` on leaves KV on the CPU.
    bool leaves_kv(std::size_t from) const {
        return std::any_of(choices_.begin() + static_cast<std::ptrdiff_t>(from),
                           choices_.end(),
                           [&](const PlanChoice& c) { return c.n_attn_pinned < n_layers_; });
    }

    void add_all() {
        if (!fits(0, 0)) return;
        const int attn_top = largest(0, n_layers_, [&](int n) { return fits(0, n); });
        const int beside = largest(0, attn_top, [&](int n) { return fits(n, attn_top); });
        const int whole = largest(0, n_layers_, [&](int n) { return fits(n, n); });
        for (const int n_full : ladder(whole, beside)) {
            if (fits(n_full, n_full)) add_beside(n_full);
        }
        add_parts(with(beside, attn_top));
    }

    // Counts of whole layers: some eight steps from `top` down to none, and `beside`.
    std::vector<int> ladder(int top, int beside) const {
        std::vector<int> counts;
        const int step = std::max(1, n_layers_ / 8);
        for (int n = top; n > 0; n -= step) counts.push_back(n);
        counts.push_back(0);
        if (std::find(counts.begin(), counts.end(), beside) == counts.end()) {
            counts.push_back(beside);
        }
        return counts;
    }

    // Adds n_full whole layers with as much attention as fits beside them, and with none.
    void add_beside(int n_full) {
        const int n_attn = largest(n_full, n_layers_, [&](int n) { return fits(n_full, n); });
        choices_.push_back(with(n_full, n_attn));
        if (n_attn > n_full) choices_.push_back(with(n_full, n_full));
    }

    void add_parts(PlanChoice choice) {
        if (choice.n_pinned >= n_layers_) return;
        choice.n_attn_pinned = std::max(choice.n_attn_pinned, choice.n_pinned + 1);
        for (const Overflow overflow : kOverflows) {
            choice.overflow = overflow;
            if (sizing_.fits(choice)) choices_.push_back(choice);
        }
    }

    int n_layers_;
    const Sizing& sizing_;
    PlanChoice base_{.strategy = Strategy::StaticAttnPrio};
    std::vector<PlanChoice> choices_;
};

std::vector<PlanChoice> propose(const Inventory& inventory, const Sizing& sizing) {
    return Proposer(inventory, sizing).run();
}

}  // namespace

extern const StrategyRule kAttnPrio;
const StrategyRule kAttnPrio{.name = "STATIC_ATTNPRIO_ALLMODELS",
                             .id = Strategy::StaticAttnPrio,
                             .is_published = true,
                             .is_static = true,
                             .slices = false,
                             .lanes = lanes,
                             .propose = propose};

}  // namespace pshard
