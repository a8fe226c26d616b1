// Seconds that no plan for a graph can beat on a machine, by the rates that plans are priced with.
//
// Each node runs on the GPU (g seconds) or on the CPU (c). What it reads, if it runs on the GPU, is
// resident (b bytes of the budget B) or comes over the link in this pass (u seconds, at the link's
// best rate). CPU and link share the host's memory: while both work, the CPU goes at a share `a` of
// its pace and the link at a share `l`. G, C and U are the sums of g, c and u in a pass. The T
// seconds of the pass bound them:
//
//   any order   G <= T        C + k U <= T                   U + sum of h <= T
//   in order    G + C <= T    (1 - k) G + C + k U <= T       U + sum of h <= T
//   k = min(1, (1 - a) / l) with the largest a of any node,  h = c min(1, (1 - l) / a) with its own
//
// "In order" means that nodes are computed one after the other, as in our graphs and llama.cpp's,
// so that GPU and CPU take turns. (k and h come from this: in x seconds both work, and CPU and link
// do a x and l x of their work; in the other seconds one of them works at full pace. x is chosen so
// that T is least.)
//
// Give each of the three a price, adding up to 1, and each byte of VRAM a price m. Adding up what
// was said, with P_gpu, P_cpu and P_link the prices of a second of each kind of work,
//
//   T >= P_gpu G + P_cpu C + P_link U + m (bytes resident - B)
//     >= sum over nodes of min(P_gpu g + sum of min(m b, P_link u), P_cpu c) - m B
//
// wherever things lie: each node has paid for its cheapest way. So any prices prove a bound;
// lower_bound() searches for those that prove the most. It is the optimum of the placement problem
// with fractions of nodes allowed and without launches of stages, hand-overs, scratch and slots.
#pragma once

#include <optional>

#include "search/evaluator.h"

namespace pshard {

enum class Overlap {
    Any,      // GPU, CPU and link side by side
    InOrder,  // GPU and CPU take turns, the link beside them
};

// The prices of the three sums above, by their places in the row, and of a byte.
struct Prices {
    double first = 0;
    double second = 0;
    double link = 0;
    double vram = 0;  // seconds per byte

    bool operator==(const Prices&) const = default;
};

struct LowerBound {
    Seconds seconds = 0;  // of a pass
    Prices prices;        // that prove it; the sum with the highest price is what binds

    bool operator==(const LowerBound&) const = default;
};

// The bound holds at the problem's depth, or at a full cache where the batch does not fit behind
// that depth. nullopt without a profile that prices both processors and the link.
std::optional<LowerBound> lower_bound(const Problem& problem, const Graph& graph, Overlap overlap);

// The seconds that the given prices prove: the sum above. For whoever doubts the search.
std::optional<Seconds> proven_seconds(const Problem& problem,
                                      const Graph& graph,
                                      Overlap overlap,
                                      const Prices& prices);

}  // namespace pshard
