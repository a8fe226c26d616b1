// Plans a whole variant.
//
// In: a problem. Out: the plan of each tier, the one arena for all of them, and the bytes that each
// plan switch moves.
//
//   does stock hold everything, and the device compute it? -- yes --> no tiers: no PSHARD0
//        | no
//   plan_tier() of each tier, on two threads
//        v
//   take_dominated() -> pack_arena() of the winners -> switch_bytes() of each pair
//
// Stock is asked at each tier that is a prompt, from the largest down: it may hold everything at a
// ubatch of 512 and not at 16384. The first tier that fits, cut to 512 tokens, is cache_ubatch. If
// the user has named the ubatch, stock would run that one, and no other is asked.
//
// Traps: a forced strategy is planned even where stock holds everything. Tiers share nothing while
// they are searched, so the threads cannot change the result. stock_fit() proposes again after an
// exact evaluation was over the budget, as that corrects the scratch of its kind; it ends when the
// same choice comes back.
#include "search/search.h"

#include <algorithm>

#include "base/parallel.h"
#include "plan/idle_weights.h"
#include "plan/tiers.h"
#include "search/check_plan.h"
#include "search/dominated.h"
#include "search/tier_memo.h"
#include "strategy/expand.h"
#include "strategy/rules.h"

namespace pshard {
namespace {

// The arena of the tiers that have a winner.
ArenaLayout arena_of(const Problem& problem, const std::vector<TierPlan>& tiers) {
    std::vector<TierDemand> demands;
    for (const TierPlan& tier : tiers) {
        const Candidate* winner = tier.winner();
        if (winner == nullptr) continue;
        const Graph* graph = graph_of_tier(problem.inventory, tier.key);
        Lowered lowered = lower({problem.inventory, *graph},
                                expand({problem.inventory, *graph}, winner->choice),
                                winner->options,
                                LowerUntil::Slots);
        demands.push_back(
            {std::move(lowered.placement), lowered.slots[0], winner->memory.device.scratch});
    }
    Result<ArenaLayout> arena = pack_arena(problem.inventory, demands, problem.budget);
    PSHARD_CHECK(arena.ok());  // each tier fits alone, so all fit together
    return std::move(arena).value();
}

void add_arena(const Problem& problem, VariantPlan& plan) {
    plan.arena = arena_of(problem, plan.tiers);
    for (const TierArena& from : plan.arena.tiers) {
        std::vector<SwitchBytes>& row = plan.switches.emplace_back();
        for (const TierArena& to : plan.arena.tiers) {
            row.push_back(switch_bytes(problem.inventory, from, to));
        }
    }
}

#if defined(_GLIBCXX_ASSERTIONS) || !defined(NDEBUG)
constexpr bool kAsserts = true;
#else
constexpr bool kAsserts = false;
#endif

// A build with assertions returns no plan that does not hold.
void expect_right(const Problem& problem, const std::vector<TierPlan>& tiers) {
    const Status right = check_plan(problem, tiers, arena_of(problem, tiers));
    if (!right) check_failed(right.error().message.c_str(), __FILE__, __LINE__);
}

// The graph of the largest prompt tier at which stock llama.cpp holds everything; nullptr if there
// is none. If no tier is large enough for a prompt, the largest counts as one.
const Graph* baseline_graph(const Problem& problem, std::optional<std::uint32_t> named) {
    const std::vector<Graph>& graphs = problem.inventory.graphs;
    for (auto graph = graphs.rbegin(); graph != graphs.rend(); ++graph) {
        if (graph->n_tokens < named.value_or(kFirstPromptTier) && graph != graphs.rbegin())
            continue;
        if (is_held_by_stock(problem.inventory, *graph, problem.budget)) return &*graph;
    }
    return nullptr;
}

}  // namespace

Bytes all_resident_bytes(const Inventory& inventory, const Graph& graph) {
    return all_resident_use(inventory, graph).total();
}

DeviceUse all_resident_use(const Inventory& inventory, const Graph& graph) {
    const PlanChoice everything = everything_resident(inventory.n_layers);
    const Placement placement = expand(inventory, everything, kAllUsed);
    return memory_use(inventory, lower({inventory, graph}, placement, kAsStock)).device;
}

bool is_held_by_stock(const Inventory& inventory, const Graph& graph, Bytes budget) {
    const std::vector<bool> idle = idle_states(inventory, graph);
    return idle_layer_weights(inventory, graph).empty() && std::ranges::count(idle, true) == 0 &&
           all_resident_bytes(inventory, graph) <= budget;
}

std::optional<Candidate> stock_fit(const Problem& problem, const Graph& graph) {
    Evaluator evaluator(problem, graph, LoadedBy::Stock);
    const Sizing sizing{[&](const PlanChoice& c) { return evaluator.device_bytes(c, kAsStock); },
                        problem.budget};
    std::optional<PlanChoice> tried;
    while (true) {
        const std::vector<PlanChoice> choices =
            rule_of(Strategy::StaticFitParams).propose(problem.inventory, sizing);
        if (choices.empty() || choices.front() == tried) return std::nullopt;
        Candidate fit = evaluator.evaluate(choices.front(), kAsStock);
        if (fit.verdict == Verdict::Viable) return fit;
        // The choice needs more scratch than its kind was known to: the next proposal counts with
        // that.
        if (fit.verdict != Verdict::OverBudget) return std::nullopt;
        tried = fit.choice;
    }
}

// Searches the tiers side by side; the result does not depend on the order in which they end.
std::vector<TierPlan> plan_tiers(const Problem& problem) {
    const std::vector<Graph>& graphs = problem.inventory.graphs;
    std::vector<TierPlan> tiers(graphs.size());
    for_each_on_two_threads(
        graphs.size(),
        [&](std::size_t i) {
            tiers[i] = problem.searched ? problem.searched->plan(problem, graphs[i])
                                        : plan_tier(problem, graphs[i]);
        },
        problem.on_progress);
    if (kAsserts) expect_right(problem, tiers);
    return tiers;
}

VariantPlan plan_variant(const Problem& problem, std::optional<std::uint32_t> named) {
    VariantPlan plan;
    plan.budget = problem.budget;
    plan.cache_ubatch = problem.inventory.context.n_ubatch;
    if (!problem.forced) {
        if (const Graph* graph = baseline_graph(problem, named)) {
            plan.baseline_vram = all_resident_bytes(problem.inventory, *graph);
            plan.cache_ubatch = std::min(graph->n_tokens, kFirstPromptTier);
            return plan;
        }
    }
    plan.tiers = plan_tiers(problem);
    plan.dominated = take_dominated(plan.tiers, named);
    if (!plan.dominated.empty()) plan.cache_ubatch = plan.tiers.back().key.n_tokens;
    add_arena(problem, plan);
    return plan;
}

}  // namespace pshard
