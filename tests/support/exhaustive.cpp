#include "support/exhaustive.h"

#include <algorithm>
#include <limits>
#include <vector>

#include <fmt/format.h>

#include "search/search.h"

namespace pshard::testing_support {
namespace {

constexpr double kBudgetShares[] = {0.2, 0.45, 0.75};
constexpr std::uint32_t kDepth = 4096;

// All parts, heads and ends of one pair of counts.
void add_variants(const PlanChoice& counts, int n_layers, std::vector<PlanChoice>& choices) {
    for (int part = 0; part < (counts.n_pinned < n_layers ? 5 : 1); ++part) {
        for (const bool head : {false, true}) {
            for (const bool from_back : {false, true}) {
                PlanChoice choice = counts;
                choice.overflow = static_cast<Overflow>(part);
                choice.output_on_gpu = head;
                choice.pin_from_back = from_back;
                choices.push_back(choice);
            }
        }
    }
}

std::vector<PlanChoice> every_choice(const StrategyRule& rule, int n_layers) {
    std::vector<PlanChoice> choices;
    for (int n = 0; n <= n_layers; ++n) {
        for (int attn = rule.is_static ? n : 0; attn <= (rule.is_static ? n_layers : 0); ++attn) {
            add_variants(
                {.strategy = rule.id, .n_pinned = n, .n_attn_pinned = attn}, n_layers, choices);
        }
    }
    // A part of one more layer needs that layer's attention.
    std::erase_if(choices, [&](const PlanChoice& choice) {
        return rule.is_static && choice.overflow != Overflow::None &&
               choice.n_attn_pinned == choice.n_pinned;
    });
    return choices;
}

// All choices of a graph, sized and priced once; which of them fit a budget is asked afterwards.
class EveryPlan {
public:
    EveryPlan(const Problem& problem, const Graph& graph) : problem_(problem), graph_(graph) {
        problem_.budget = std::numeric_limits<Bytes>::max() / 4;
        Evaluator evaluator(problem_, graph);
        for (const StrategyRule* rule : strategy_rules()) {
            if (rule->is_fixed) continue;
            add(evaluator, *rule, as_planned(false));
            const bool slices = rule->slices && problem.inventory.n_experts > 0;
            if (slices) add(evaluator, *rule, as_planned(true));
        }
        std::stable_sort(plans_.begin(), plans_.end(), [](const auto& a, const auto& b) {
            return a.rate > b.rate;
        });
    }

    // Tokens per second of the fastest that fits, evaluated exactly; 0 if none does.
    double best_rate(Bytes budget) {
        problem_.budget = budget;
        Evaluator evaluator(problem_, graph_);
        for (const Priced& plan : plans_) {
            if (plan.bytes > budget) continue;
            const Candidate exact = evaluator.evaluate(plan.choice, plan.options);
            if (exact.verdict == Verdict::Viable) return exact.prediction->tokens_per_second;
        }
        return 0;
    }

private:
    struct Priced {
        PlanChoice choice;
        StageOptions options;
        Bytes bytes = 0;  // estimated
        double rate = 0;
    };

    void add(Evaluator& evaluator, const StrategyRule& rule, const StageOptions& options) {
        for (const PlanChoice& choice : every_choice(rule, problem_.inventory.n_layers)) {
            const Candidate candidate = evaluator.estimate(choice, options);
            if (candidate.verdict != Verdict::Viable || !candidate.prediction) continue;
            plans_.push_back({choice,
                              options,
                              candidate.memory.device.total(),
                              candidate.prediction->tokens_per_second});
        }
    }

    Problem problem_;
    const Graph& graph_;
    std::vector<Priced> plans_;  // fastest first
};

}  // namespace

SearchLoss search_loss(const Inventory& inventory, const MachineProfile& profile) {
    SearchLoss loss;
    for (const Graph& graph : inventory.graphs) {
        Problem problem{inventory, &profile, 0, kDepth, {}, {}};
        EveryPlan every(problem, graph);
        const Bytes all = all_resident_bytes(inventory, graph);
        for (const double share : kBudgetShares) {
            problem.budget = static_cast<Bytes>(static_cast<double>(all) * share);
            const double best = every.best_rate(problem.budget);
            if (best == 0) continue;
            const TierPlan plan = plan_tier(problem, graph);
            const Candidate* winner = plan.winner();
            const double found = winner == nullptr ? 0 : winner->prediction->tokens_per_second;
            ++loss.compared;
            if (1 - found / best <= loss.worst) continue;
            loss.worst = 1 - found / best;
            loss.where = fmt::format(
                "{} of {:.1f} MiB, {} tokens", share, in_mib(all), to_text(graph.tier()));
        }
    }
    return loss;
}

std::string to_text(const SearchLoss& loss) {
    return fmt::format("plans of {} budgets and batches miss at most {:.3f} % ({})",
                       loss.compared,
                       loss.worst * 100,
                       loss.where.empty() ? "nowhere" : loss.where);
}

}  // namespace pshard::testing_support
