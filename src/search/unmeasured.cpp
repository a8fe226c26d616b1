// Plans a tier of a machine that nobody has measured, so that it is no slower than stock llama.cpp.
//
// In:  a problem without a profile, and the graph of one batch size.
// Out: the plan and its rivals, as the search of a tier gives them, without predictions.
//
// Ranked by memory alone, the plan that pins most would win, and the CPU would compute prompts that
// stock uploads to the GPU: 4.6 tokens per second where stock has 143 (Llama-3.3-70B, 512 tokens).
// So the search runs on an assumed machine (machine/assumed_machine.h), and the fastest plan wins
//
//   below 32 tokens      of those that move nothing while a graph runs: stock uploads nothing
//   from 32 tokens on    of those that stream FFNs and take no longer than stock's own fit with
//                        op-offload, with the link at its page-locked and at its pageable rate
//   where none is such   of those that move nothing
//
// Why both links: nobody knows whether the memory will be page-locked, nor whether stock's is. Why
// not what leaves FFNs to the CPU: whether that is faster than stock depends on the CPU, while both
// links and both GPUs are the same in a stream and in stock.
//
// Trap: the assumed rates decide, but are nobody's: what is returned tells no speed.
#include "search/unmeasured.h"

#include "machine/assumed_machine.h"
#include "ops/op_table.h"
#include "search/search.h"

namespace pshard {
namespace {

Problem on_machine(Problem problem, const MachineProfile& machine) {
    problem.profile = &machine;
    return problem;
}

// One of the two links, and what stock takes with it.
class AssumedRun {
public:
    AssumedRun(const Problem& problem, const Graph& graph, AssumedLink link)
        : machine_(assumed_machine(link)),
          problem_(on_machine(problem, machine_)),
          evaluator_(problem_, graph) {
        const std::optional<Candidate> stock = stock_fit(problem_, graph);
        if (stock && stock->prediction) stock_seconds_ = stock->prediction->pass_seconds;
    }

    AssumedRun(const AssumedRun&) = delete;
    AssumedRun& operator=(const AssumedRun&) = delete;

    [[nodiscard]] const Problem& problem() const { return problem_; }

    // Whether the plan takes no longer than stock; nor does any plan where stock has none.
    bool holds_against_stock(const Candidate& candidate) {
        const auto ours = evaluator_.predict_at(candidate, problem_.depth_tokens);
        return !stock_seconds_ || (ours && ours->pass_seconds <= *stock_seconds_);
    }

private:
    MachineProfile machine_;
    Problem problem_;
    Evaluator evaluator_;
    std::optional<Seconds> stock_seconds_{};
};

bool moves_nothing(const Candidate& candidate) {
    return rule_of(candidate.choice.strategy).is_static;
}

void drop_predictions(TierPlan& plan) {
    for (std::vector<Candidate>* candidates : {&plan.viable, &plan.refused}) {
        for (Candidate& candidate : *candidates) candidate.prediction.reset();
    }
    plan.empty.reset();
    plan.full.reset();
    plan.times = {};
}

}  // namespace

TierPlan plan_unmeasured_tier(const Problem& problem, const Graph& graph) {
    AssumedRun locked(problem, graph, AssumedLink::PageLocked);
    AssumedRun pageable(problem, graph, AssumedLink::Pageable);
    const auto streams_well = [&](const Candidate& candidate) {
        return rule_of(candidate.choice.strategy).slices && locked.holds_against_stock(candidate) &&
               pageable.holds_against_stock(candidate);
    };
    TierPlan plan;
    if (graph.n_tokens >= kOffloadMinRows)
        plan = search_tier(locked.problem(), graph, streams_well);
    const bool streams = plan.winner() != nullptr && streams_well(*plan.winner());
    if (!streams) plan = search_tier(locked.problem(), graph, moves_nothing);
    drop_predictions(plan);
    return plan;
}

}  // namespace pshard
