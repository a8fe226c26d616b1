// The search of one tier.
//
// In:  a problem (model, machine, budget, depth) and the graph of one batch size.
// Out: the fastest plan that fits, exact in bytes and seconds, and what else was tried.
//
// A model of 48 layers has 30,000 choices. To estimate one costs 0.1 ms. The first of each kind
// costs ten times as much, since its scratch must be packed, and so does an exact evaluation. The
// search spends little on both:
//
//   1. propose   Each strategy names the choices that use the budget best. It knows bytes only.
//   2. estimate  The simulator prices them; the scratch is that of a choice of the same kind.
//   3. climb     Where a strategy comes near the best rate of all, its best proposal moves to its
//                best neighbour (neighbours.h) until a step gains nothing.
//   4. confirm   The plan is evaluated exactly. If it holds less than its estimate promised, the
//                next best takes its place, and so on.
//
//      rate |         o x      x  proposals: the most layers that fit, a half, none;
//           |       x   o         each from the front and the back, head on the GPU and the CPU
//           |  x                o  neighbours of the best: a layer more or less, another part
//           +---------------- layers pinned
//
// Traps:
// * More pinned layers are not always more bytes: streamed groups take two slots in turn, and an
//   odd number of groups may need a smaller pair. So the climb looks beyond the most that fit.
// * Rates are flat where the GPU's compute bounds the pass. A step that gains less than 0.05 %
//   ends the climb, or it would walk through all counts.
// * Among plans of equal rate the one that streams least wins. It may be one that was only
//   estimated, so the plan is confirmed after that choice, not before.
// * Without a profile the machine is assumed (unmeasured.h); what is forced is ranked by memory:
//   nothing climbs, and the most pinned layers win.
// * A plan that may not win is only looked at where it would. It stays in the list, behind.
#include "search/tier_search.h"

#include <algorithm>
#include <utility>

#include "search/neighbours.h"
#include "search/unmeasured.h"

namespace pshard {
namespace {

// The strategy that fits wherever any does.
constexpr Strategy kNeedsLeast = Strategy::StaticAttnPrio;

// Strategies whose proposals come within this share of the best are searched further.
constexpr double kContends = 0.06;

// A climb goes on while a step gains more than this share.
constexpr double kWorthAStep = 0.0005;

struct Tried {
    Candidate candidate;
    bool is_exact = false;          // evaluated, not estimated
    std::optional<bool> may_win{};  // nullopt: nobody has asked

    bool is_viable() const { return candidate.verdict == Verdict::Viable; }
};

double rate_of(const Candidate& candidate) {
    return candidate.prediction ? candidate.prediction->tokens_per_second : 0;
}

class TierSearch {
public:
    TierSearch(const Problem& problem, const Graph& graph, const MayWin& may_win)
        : problem_(problem), graph_(graph), may_win_(may_win), evaluator_(problem, graph) {}

    TierPlan run() {
        for (const StrategyRule* rule : strategy_rules()) {
            if (!problem_.forced || *problem_.forced == rule->id) try_strategy(*rule);
        }
        search();
        // A forced strategy that cannot run in this tier gives way to the one that needs least.
        if (!any_viable() && problem_.forced && *problem_.forced != kNeedsLeast) {
            try_strategy(rule_of(kNeedsLeast));
            search();
        }
        return plan();
    }

private:
    void try_strategy(const StrategyRule& rule) {
        const std::size_t before = tried_.size();
        try_proposals(rule, as_planned(false));
        if (rule.slices && problem_.inventory.n_experts > 0) try_proposals(rule, as_planned(true));
        // Nothing fits: the choice that needs least is tried, so that the reason says how much.
        if (tried_.size() > before) return;
        const PlanChoice least{.strategy = rule.id};
        tried_.push_back({evaluator_.evaluate(least, as_planned(false)), true});
    }

    void try_proposals(const StrategyRule& rule, const StageOptions& options) {
        for (const PlanChoice& choice : rule.propose(problem_.inventory, sizing(options))) {
            tried_.push_back({evaluator_.estimate(choice, options)});
        }
    }

    Sizing sizing(const StageOptions& options) {
        return {
            [this, options](const PlanChoice& c) { return evaluator_.device_bytes(c, options); },
            problem_.budget};
    }

    void search() {
        climb_where_it_matters();
        confirm();
    }

    bool any_viable() const {
        return std::any_of(
            tried_.begin(), tried_.end(), [](const Tried& tried) { return tried.is_viable(); });
    }

    // The best candidate of a strategy; nullptr if none is viable.
    const Candidate* best_of(Strategy strategy) const {
        const Candidate* best = nullptr;
        for (const Tried& tried : tried_) {
            const Candidate& candidate = tried.candidate;
            if (!tried.is_viable() || candidate.choice.strategy != strategy) continue;
            if (best == nullptr || better(candidate, *best)) best = &candidate;
        }
        return best;
    }

    void climb_where_it_matters() {
        double best = 0;
        for (const Tried& tried : tried_) {
            if (tried.is_viable()) best = std::max(best, rate_of(tried.candidate));
        }
        for (const StrategyRule* rule : strategy_rules()) {
            const Candidate* own = best_of(rule->id);
            const bool contends =
                own != nullptr && rate_of(*own) > 0 && rate_of(*own) >= best * (1 - kContends);
            if (contends && !rule->is_fixed) climb(*rule);
        }
    }

    void climb(const StrategyRule& rule) {
        double gained = kWorthAStep;
        while (gained >= kWorthAStep) {
            const Candidate from = *best_of(rule.id);
            const Sizing sizes = sizing(from.options);
            for (const PlanChoice& choice :
                 neighbours(from.choice, rule.is_static, problem_.inventory.n_layers)) {
                if (is_tried(choice, from.options) || !sizes.fits(choice)) continue;
                tried_.push_back({evaluator_.estimate(choice, from.options)});
            }
            gained = rate_of(*best_of(rule.id)) / rate_of(from) - 1;
        }
    }

    bool is_tried(const PlanChoice& choice, const StageOptions& options) const {
        return std::any_of(tried_.begin(), tried_.end(), [&](const Tried& tried) {
            return tried.candidate.choice == choice && tried.candidate.options == options;
        });
    }

    // Evaluates exactly what a reader will take, until it holds what its estimate promised.
    void confirm() {
        rank();
        for (Tried* doubtful = first_doubtful(); doubtful != nullptr; doubtful = first_doubtful()) {
            const Candidate& estimate = doubtful->candidate;
            *doubtful = {evaluator_.evaluate(estimate.choice, estimate.options), true};
            rank();
        }
    }

    // Sorts what was tried: best first; what is not viable last, in the order in which it was
    // tried.
    void rank() {
        std::stable_sort(tried_.begin(), tried_.end(), [](const Tried& a, const Tried& b) {
            if (!a.is_viable() || !b.is_viable()) return a.is_viable() && !b.is_viable();
            return better(a.candidate, b.candidate);
        });
        prefer_less_streaming();
        prefer_what_may_win();
    }

    // Brings the best plan that may win to the front, and behind it the best published one that
    // may.
    void prefer_what_may_win() {
        const auto may_win = [this](Tried& tried) {
            if (!may_win_ || !tried.is_viable()) return tried.is_viable();
            if (!tried.may_win) tried.may_win = may_win_(tried.candidate);
            return *tried.may_win;
        };
        const auto first = std::ranges::find_if(tried_, may_win);
        if (first == tried_.end()) return;
        std::rotate(tried_.begin(), first, first + 1);
        if (is_published(tried_.front())) return;
        const auto published = std::find_if(tried_.begin() + 1, tried_.end(), [&](Tried& t) {
            return is_published(t) && may_win(t);
        });
        if (published != tried_.end()) std::rotate(tried_.begin() + 1, published, published + 1);
    }

    void prefer_less_streaming() {
        if (!any_viable() || rate_of(tried_.front().candidate) == 0) return;
        const double enough = rate_of(tried_.front().candidate) * (1 - kEqualShare);
        const auto end = std::find_if(tried_.begin(), tried_.end(), [&](const Tried& tried) {
            return !tried.is_viable() || rate_of(tried.candidate) < enough;
        });
        const auto least = std::min_element(tried_.begin(), end, [](const auto& a, const auto& b) {
            return a.candidate.memory.host.streamed < b.candidate.memory.host.streamed;
        });
        std::rotate(tried_.begin(), least, least + 1);
    }

    // The plan or, after it, the best published one, if it was only estimated; nullptr: neither.
    Tried* first_doubtful() {
        for (Tried& tried : tried_) {
            if (!tried.is_viable()) return nullptr;
            if (!tried.is_exact && (&tried == &tried_.front() || is_published(tried)))
                return &tried;
            if (is_published(tried)) return nullptr;
        }
        return nullptr;
    }

    static bool is_published(const Tried& tried) {
        return rule_of(tried.candidate.choice.strategy).is_published;
    }

    TierPlan plan() {
        TierPlan plan;
        plan.key = graph_.tier();
        for (const StrategyRule* rule : strategy_rules()) {
            if (const Candidate* refused = refusal_of(rule->id)) plan.refused.push_back(*refused);
        }
        for (Tried& tried : tried_) {
            if (tried.is_viable()) plan.viable.push_back(std::move(tried.candidate));
        }
        if (const Candidate* winner = plan.winner()) {
            plan.empty = evaluator_.predict_at(*winner, 0);
            plan.full = evaluator_.predict_at(*winner, full_depth(problem_.inventory, graph_));
            plan.times =
                evaluator_.pass_times(*winner, {plan.empty, winner->prediction, plan.full});
        }
        return plan;
    }

    // The first candidate of a strategy, if none of its candidates is viable; else nullptr. Where
    // the host is too small, the one that lacks least.
    const Candidate* refusal_of(Strategy strategy) const {
        if (best_of(strategy) != nullptr) return nullptr;
        const Candidate* refusal = nullptr;
        for (const Tried& tried : tried_) {
            const Candidate& candidate = tried.candidate;
            if (candidate.choice.strategy != strategy) continue;
            if (refusal == nullptr || lacks_less(candidate, *refusal)) refusal = &candidate;
        }
        return refusal;
    }

    static bool lacks_less(const Candidate& a, const Candidate& b) {
        return a.verdict == Verdict::HostTooSmall && b.verdict == Verdict::HostTooSmall &&
               a.memory.host.total() < b.memory.host.total();
    }

    const Problem& problem_;
    const Graph& graph_;
    const MayWin& may_win_;
    Evaluator evaluator_;
    std::vector<Tried> tried_;
};

}  // namespace

const Candidate* TierPlan::published() const {
    for (const Candidate& candidate : viable) {
        if (rule_of(candidate.choice.strategy).is_published) return &candidate;
    }
    return nullptr;
}

TierPlan plan_tier(const Problem& problem, const Graph& graph) {
    const bool is_measured = problem.profile != nullptr || problem.forced;
    return is_measured ? search_tier(problem, graph, {}) : plan_unmeasured_tier(problem, graph);
}

TierPlan search_tier(const Problem& problem, const Graph& graph, const MayWin& may_win) {
    return TierSearch(problem, graph, may_win).run();
}

}  // namespace pshard
