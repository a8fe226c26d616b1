#include "search/search.h"

#include <algorithm>
#include <thread>

#include "search/check_plan.h"
#include "strategy/expand.h"
#include "strategy/rules.h"

namespace pshard {
namespace {

// Tiers from which a batch is a prompt: those that decide whether stock alone is as good.
constexpr std::uint32_t kPromptTier = 512;

// The strategy that fits wherever any does.
constexpr Strategy kNeedsLeast = Strategy::StaticAttnPrio;

class TierSearch {
public:
    TierSearch(const Problem& problem, const Graph& graph)
        : problem_(problem), graph_(graph), evaluator_(problem, graph) {
        plan_.key = graph.tier();
    }

    TierPlan run() {
        for (const StrategyRule* rule : strategy_rules()) {
            if (!problem_.forced || *problem_.forced == rule->id) try_strategy(*rule);
        }
        // A forced strategy that cannot run at this tier gives way to the one that needs least.
        const bool gives_way =
            plan_.viable.empty() && problem_.forced && *problem_.forced != kNeedsLeast;
        if (gives_way) try_strategy(rule_of(kNeedsLeast));
        std::stable_sort(plan_.viable.begin(), plan_.viable.end(), better);
        prefer_less_streaming();
        if (const Candidate* winner = plan_.winner()) {
            plan_.empty = evaluator_.predict_at(*winner, 0);
            plan_.full = evaluator_.predict_at(*winner, full_depth(problem_.inventory, graph_));
        }
        return std::move(plan_);
    }

private:
    void prefer_less_streaming() {
        std::vector<Candidate>& viable = plan_.viable;
        if (viable.empty() || !viable.front().prediction) return;
        const double enough = viable.front().prediction->tokens_per_second * (1 - kEqualShare);
        const auto end = std::find_if(viable.begin(), viable.end(), [&](const Candidate& c) {
            return c.prediction->tokens_per_second < enough;
        });
        const auto least = std::min_element(viable.begin(), end, [](const auto& a, const auto& b) {
            return a.memory.host.streamed < b.memory.host.streamed;
        });
        std::rotate(viable.begin(), least, least + 1);
    }

    void try_strategy(const StrategyRule& rule) {
        const std::size_t before = plan_.viable.size();
        std::optional<Candidate> refused;
        try_sliced(rule, false, refused);
        if (rule.slices && problem_.inventory.n_experts > 0) try_sliced(rule, true, refused);
        if (plan_.viable.size() == before && refused) plan_.refused.push_back(*refused);
    }

    void try_sliced(const StrategyRule& rule, bool slice, std::optional<Candidate>& refused) {
        std::vector<Candidate> candidates = candidates_of(rule, slice);
        if (candidates.empty()) {
            PlanChoice least;
            least.strategy = rule.id;
            candidates.push_back(evaluator_.evaluate(least, as_planned(slice)));
        }
        confirm_best(candidates);
        for (Candidate& candidate : candidates) keep(std::move(candidate), refused);
    }

    // Candidates were estimated. The best is evaluated exactly until one holds what it promised.
    void confirm_best(std::vector<Candidate>& candidates) {
        for (std::size_t tries = 0; tries < candidates.size(); ++tries) {
            const auto best = std::min_element(candidates.begin(), candidates.end(), better);
            if (best->verdict != Verdict::Viable) return;
            *best = evaluator_.evaluate(best->choice, best->options);
            if (best->verdict == Verdict::Viable) return;
        }
    }

    std::vector<Candidate> candidates_of(const StrategyRule& rule, bool slice) {
        const Sizing sizing{
            [&](const PlanChoice& c) { return evaluator_.device_bytes(c, as_planned(slice)); },
            problem_.budget};
        std::vector<Candidate> candidates;
        for (const PlanChoice& choice : rule.propose(problem_.inventory, sizing)) {
            candidates.push_back(evaluator_.estimate(choice, as_planned(slice)));
        }
        return candidates;
    }

    void keep(Candidate candidate, std::optional<Candidate>& refused) {
        if (candidate.verdict == Verdict::Viable) {
            plan_.viable.push_back(std::move(candidate));
        } else if (!refused) {
            refused = std::move(candidate);
        }
    }

    const Problem& problem_;
    const Graph& graph_;
    Evaluator evaluator_;
    TierPlan plan_;
};

// The arena of the tiers that have a winner.
ArenaLayout arena_of(const Problem& problem, const std::vector<TierPlan>& tiers) {
    std::vector<TierDemand> demands;
    for (const TierPlan& tier : tiers) {
        const Candidate* winner = tier.winner();
        if (winner == nullptr) continue;
        const Graph* graph = graph_of_tier(problem.inventory, tier.key);
        Lowered lowered = lower({problem.inventory, *graph},
                                expand(problem.inventory, winner->choice),
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

// The largest prompt tier at which stock llama.cpp holds everything; nullptr if none does. Where
// all tiers are short of a prompt's, the largest is the prompt's.
const Graph* baseline_graph(const Problem& problem) {
    const std::vector<Graph>& graphs = problem.inventory.graphs;
    for (auto graph = graphs.rbegin(); graph != graphs.rend(); ++graph) {
        if (graph->n_tokens < kPromptTier && graph != graphs.rbegin()) continue;
        if (all_resident_bytes(problem.inventory, *graph) <= problem.budget) return &*graph;
    }
    return nullptr;
}

}  // namespace

const Candidate* TierPlan::published() const {
    for (const Candidate& candidate : viable) {
        if (rule_of(candidate.choice.strategy).is_published) return &candidate;
    }
    return nullptr;
}

std::optional<std::size_t> VariantPlan::arena_index(std::size_t tier) const {
    if (tiers[tier].winner() == nullptr) return std::nullopt;
    const auto with_plan = std::count_if(tiers.begin(),
                                         tiers.begin() + static_cast<std::ptrdiff_t>(tier),
                                         [](const TierPlan& t) { return t.winner() != nullptr; });
    return static_cast<std::size_t>(with_plan);
}

Bytes all_resident_bytes(const Inventory& inventory, const Graph& graph) {
    return all_resident_use(inventory, graph).total();
}

DeviceUse all_resident_use(const Inventory& inventory, const Graph& graph) {
    const Placement placement = expand(inventory, everything_resident(inventory.n_layers));
    return memory_use(inventory, lower({inventory, graph}, placement, kAsStock)).device;
}

std::optional<Candidate> stock_fit(const Problem& problem, const Graph& graph) {
    Evaluator evaluator(problem, graph);
    const Sizing sizing{[&](const PlanChoice& c) { return evaluator.device_bytes(c, kAsStock); },
                        problem.budget};
    std::optional<PlanChoice> tried;
    while (true) {
        const std::vector<PlanChoice> choices =
            rule_of(Strategy::StaticFitParams).propose(problem.inventory, sizing);
        if (choices.empty() || choices.front() == tried) return std::nullopt;
        Candidate fit = evaluator.evaluate(choices.front(), kAsStock);
        if (fit.verdict == Verdict::Viable) return fit;
        // Its scratch was more than its kind's until now: the next is proposed by what is known.
        if (fit.verdict != Verdict::OverBudget) return std::nullopt;
        tried = fit.choice;
    }
}

TierPlan plan_tier(const Problem& problem, const Graph& graph) {
    return TierSearch(problem, graph).run();
}

// Tiers are searched side by side; the result does not depend on how.
std::vector<TierPlan> plan_tiers(const Problem& problem) {
    const std::vector<Graph>& graphs = problem.inventory.graphs;
    std::vector<TierPlan> tiers(graphs.size());
    const auto work = [&](std::size_t first) {
        for (std::size_t i = first; i < graphs.size(); i += 2) {
            tiers[i] = plan_tier(problem, graphs[i]);
        }
    };
    std::thread other(work, 1);
    work(0);
    other.join();
    if (kAsserts) expect_right(problem, tiers);
    return tiers;
}

VariantPlan plan_variant(const Problem& problem) {
    VariantPlan plan;
    plan.budget = problem.budget;
    plan.cache_ubatch = problem.inventory.context.n_ubatch;
    if (!problem.forced) {
        if (const Graph* graph = baseline_graph(problem)) {
            plan.baseline_vram = all_resident_bytes(problem.inventory, *graph);
            plan.cache_ubatch = std::min(graph->n_tokens, kPromptTier);
            return plan;
        }
    }
    plan.tiers = plan_tiers(problem);
    add_arena(problem, plan);
    return plan;
}

}  // namespace pshard
