// Seconds that no plan for a graph can beat on a machine, by the rates that plans are priced with.
//
// Each node runs on the GPU (g seconds) or on the CPU (c). What it reads, if it runs on the GPU, is
// resident (b bytes of the budget B) or comes over the link in this pass (u seconds, at the link's
// best rate). Give each lane a price p >= 0, the three adding up to 1, and each byte of VRAM a
// price m >= 0. A pass of T seconds has at most T seconds of each lane and B bytes, so
//
//   T >= p_gpu * GPU work + p_cpu * CPU work + p_link * link work + m * (bytes resident - B)
//     >= sum over nodes of min(p_gpu g + sum of min(m b, p_link u), p_cpu c) - m B
//
// whatever was placed where and in whichever order: each node has paid its cheapest way. So any
// prices prove a bound; lower_bound() searches for those that prove the most. It is the optimum of
// the placement problem with fractions of nodes allowed and without launches of stages, hand-overs,
// scratch, slots and order. Where nodes run in the graph's order (ours, and llama.cpp's, do), CPU
// and GPU take turns and their work adds up: p_cpu = p_gpu, and p_gpu + p_link = 1.
#pragma once

#include <optional>

#include "search/evaluator.h"

namespace pshard {

enum class Overlap {
    Any,      // GPU, CPU and link side by side
    InOrder,  // GPU and CPU take turns, the link beside them
};

struct Prices {
    double gpu = 0;
    double cpu = 0;
    double link = 0;
    double vram = 0;  // seconds per byte

    bool operator==(const Prices&) const = default;
};

struct LowerBound {
    Seconds seconds = 0;  // of a pass
    Prices prices;        // that prove it; the lane with the highest price is what binds

    bool operator==(const LowerBound&) const = default;
};

// At the problem's depth, or at a full cache where the batch does not fit behind it. nullopt
// without a profile that prices both processors and the link.
std::optional<LowerBound> lower_bound(const Problem& problem, const Graph& graph, Overlap overlap);

// What the given prices prove: the sum above. For whoever doubts the search.
std::optional<Seconds> proven_seconds(const Problem& problem,
                                      const Graph& graph,
                                      const Prices& prices);

}  // namespace pshard
