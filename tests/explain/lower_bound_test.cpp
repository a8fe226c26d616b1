#include "explain/lower_bound.h"
#include "cost/toy_profile.h"
#include "search/search.h"
#include "support/testing.h"
#include "support/toy_models.h"

namespace pshard {
namespace {

const MachineProfile& machine() {
    static const MachineProfile profile = test::toy_profile();
    return profile;
}

Problem problem_of(const Inventory& inventory, Bytes budget, std::uint32_t depth = 2) {
    return Problem{inventory, &machine(), budget, depth, {}, {}};
}

// Every candidate that any strategy proposes, at every budget: none is faster than the bound.
void expect_no_candidate_below(const Inventory& inventory, int& compared) {
    for (const Graph& graph : inventory.graphs) {
        const Bytes all = all_resident_bytes(inventory, graph);
        for (Bytes budget = all / 8; budget <= all + all / 4; budget += all / 8) {
            const Problem problem = problem_of(inventory, budget);
            const double free = lower_bound(problem, graph, Overlap::Any)->seconds;
            const double ordered = lower_bound(problem, graph, Overlap::InOrder)->seconds;
            EXPECT_GE(ordered, free * (1 - 1e-5));
            for (const Candidate& candidate : plan_tier(problem, graph).viable) {
                EXPECT_GE(candidate.prediction->pass_seconds, ordered * (1 - 1e-9))
                    << strategy_name(candidate.choice.strategy) << " budget " << budget
                    << " tokens " << graph.n_tokens << " pinned " << candidate.choice.n_pinned;
                ++compared;
            }
        }
    }
}

TEST(LowerBound, IsBelowEveryCandidate) {
    int compared = 0;
    expect_no_candidate_below(toy_dense(4), compared);
    expect_no_candidate_below(toy_moe(4), compared);
    ToyModel recurrent;
    recurrent.n_layers = 4;
    recurrent.n_recurrent = 2;
    expect_no_candidate_below(toy_model(recurrent), compared);
    EXPECT_GT(compared, 500);
}

// One node that reads one weight: a machine of 1 flop/s and 1 byte/s.
struct OneNode {
    Inventory inventory = toy_dense(1);

    OneNode() {
        inventory.graphs.resize(1);
        Graph& graph = inventory.graphs[0];
        const int head = weight_index(inventory, "output.weight");
        std::erase_if(graph.nodes, [&](const Node& node) {
            return node.sources.empty() || node.sources[0] != Ref{Ref::Kind::Weight, head};
        });
        inventory.weights = {inventory.weights[std::size_t(head)]};
        inventory.states.clear();
        Node& node = graph.nodes.at(0);
        node.sources = {{Ref::Kind::Weight, 0}, {Ref::Kind::Input, 0}};
        node.has_storage = false;
    }

    const Graph& graph() const { return inventory.graphs[0]; }

    GraphCost cost() const { return price_graph(graph(), inventory, machine(), 0); }
};

// All of it fits: the GPU and the CPU share the node so that both end at once,
//   T = g x = c (1 - x)  ->  T = g c / (g + c)
// and in order the cheaper one has it all: min(g, c).
TEST(LowerBound, SharesANodeBetweenTheProcessors) {
    const OneNode toy;
    const double g = toy.cost().gpu.seconds[0];
    const double c = toy.cost().cpu.seconds[0];
    ASSERT_GT(g, 0);
    const Problem roomy = problem_of(toy.inventory, 1000, 0);
    EXPECT_NEAR(lower_bound(roomy, toy.graph(), Overlap::Any)->seconds, g * c / (g + c), 1e-5);
    EXPECT_NEAR(lower_bound(roomy, toy.graph(), Overlap::InOrder)->seconds, std::min(g, c), 1e-5);
}

// No VRAM: a part x of the node goes to the GPU and crosses the link first. Tried for every x:
//   any order   max(g x, c (1-x) + k u x, u x + h (1-x))
//   in order    max(g x + c (1-x), (1-k) g x + c (1-x) + k u x, u x + h (1-x))
void expect_best_of_every_share(const MachineProfile& profile) {
    const OneNode toy;
    const GraphCost cost = price_graph(toy.graph(), toy.inventory, profile, 0);
    const double g = cost.gpu.seconds[0];
    const double c = cost.cpu.seconds[0];
    const LinkRates link = *link_rates(profile);
    const double u = double(toy.inventory.weights[0].bytes) / link.h2d_bytes_per_second;
    const double a = c / cost.cpu_under_copies.seconds[0];
    const double l = link.h2d_under_cpu_load / link.h2d_bytes_per_second;
    ASSERT_LT(a, 1) << "or the host is never short";
    const double k = std::min(1.0, (1 - a) / l);
    const double h = c * std::min(1.0, (1 - l) / a);
    double any = std::numeric_limits<double>::infinity();
    double ordered = any;
    for (int i = 0; i <= 100000; ++i) {
        const double x = i / 1e5;
        const double both = u * x + h * (1 - x);
        any = std::min(any, std::max({g * x, c * (1 - x) + k * u * x, both}));
        ordered = std::min(
            ordered,
            std::max({g * x + c * (1 - x), (1 - k) * g * x + c * (1 - x) + k * u * x, both}));
    }
    const Problem none{toy.inventory, &profile, 0, 0, {}, {}};
    EXPECT_NEAR(lower_bound(none, toy.graph(), Overlap::Any)->seconds, any, 1e-4 * any);
    EXPECT_NEAR(lower_bound(none, toy.graph(), Overlap::InOrder)->seconds, ordered, 1e-4 * ordered);
}

TEST(LowerBound, ChargesLinkAndHostWithoutVram) { expect_best_of_every_share(machine()); }

// A link of 0.3 bytes a second that a busy CPU holds up by three quarters: now U + h binds.
TEST(LowerBound, ChargesTheLinkForABusyCpu) {
    MachineProfile profile = test::toy_profile();
    profile.cpu->copy_efficiency_percent = 90;
    profile.link.standalone_gb_per_s = 0.3 * test::kOne;
    profile.link.concurrent_gb_per_s = 0.075 * test::kOne;
    expect_best_of_every_share(profile);
}

TEST(LowerBound, FallsWithVram) {
    const Inventory inventory = toy_dense(4);
    for (const Graph& graph : inventory.graphs) {
        double before = std::numeric_limits<double>::infinity();
        for (Bytes budget = 0; budget < 1000; budget += 50) {
            const double now =
                lower_bound(problem_of(inventory, budget), graph, Overlap::Any)->seconds;
            EXPECT_LE(now, before * (1 + 1e-6));
            before = now;
        }
    }
}

// Any prices prove a bound, and none proves more than the search found.
TEST(LowerBound, FindsThePricesThatProveMost) {
    const Inventory inventory = toy_moe(4);
    const Problem problem = problem_of(inventory, 600);
    const Graph& graph = inventory.graphs.front();
    const LowerBound best = *lower_bound(problem, graph, Overlap::Any);
    EXPECT_NEAR(*proven_seconds(problem, graph, Overlap::Any, best.prices),
                best.seconds,
                1e-6 * best.seconds);
    for (double gpu = 0; gpu <= 1; gpu += 0.1) {
        for (double cpu = 0; cpu <= 1 - gpu; cpu += 0.1) {
            for (double vram = 0; vram <= 1; vram += 0.1) {
                const Prices prices{gpu, cpu, 1 - gpu - cpu, vram};
                EXPECT_LE(*proven_seconds(problem, graph, Overlap::Any, prices),
                          best.seconds * (1 + 1e-6));
            }
        }
    }
}

TEST(LowerBound, NeedsAProfile) {
    const Inventory inventory = toy_dense(2);
    Problem problem = problem_of(inventory, 100);
    problem.profile = nullptr;
    EXPECT_FALSE(lower_bound(problem, inventory.graphs[0], Overlap::Any));
    EXPECT_FALSE(proven_seconds(problem, inventory.graphs[0], Overlap::Any, {1, 0, 0, 0}));
}

}  // namespace
}  // namespace pshard
