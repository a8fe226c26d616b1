// Sizes and prices the choices of one tier.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "cost/graph_cost.h"
#include "cost/transfer.h"
#include "machine/machine_profile.h"
#include "plan/fused_runs.h"
#include "plan/graph_facts.h"
#include "plan/idle_weights.h"
#include "plan/lowered.h"
#include "plan/pass_times.h"
#include "plan/timeline.h"
#include "search/candidate.h"

namespace pshard {

class TierMemo;

// What a plan is searched for.
struct Problem {
    const Inventory& inventory;
    const MachineProfile* profile = nullptr;  // nullptr: nobody has measured it
    Bytes budget = 0;                         // of the arena
    std::uint32_t depth_tokens = 0;           // that predictions hold for
    HostLimits host;
    std::optional<Strategy> forced;
    OnProgress on_progress{};  // told of tiers that are planned
    // What was packed for other problems of the same model; nullptr: nothing.
    std::shared_ptr<PackingMemo> packed{};
    std::shared_ptr<TierMemo> searched{};  // likewise
};

// All that follows from a choice: what the runtime allocates and does, and when.
struct TierDetail {
    Lowered lowered;
    std::optional<Timeline> timeline;  // nullopt: no profile
};

// The depth at which the batch of a graph fills the cache: the tokens of each sequence before it.
std::uint32_t full_depth(const Inventory& inventory, const Graph& graph);
std::uint32_t full_depth(const ContextSpec& context, std::uint32_t n_tokens, std::uint32_t n_seqs);

// Who decides where weights and states lie that the device cannot compute with
// (plan/idle_weights.h).
enum class LoadedBy {
    Plan,   // PSHARD0: the CPU has them
    Flags,  // of stock llama.cpp: the CPU has the weights, a cache lies where its layer does
    Stock,  // without such flags: all lie where their layer does
};

class Evaluator {
public:
    Evaluator(const Problem& problem, const Graph& graph, LoadedBy loader = LoadedBy::Plan);

    // Device bytes for sizing: the scratch is that of a choice of the same kind, computed once and
    // corrected by every exact evaluation that finds more. Of a choice that is over the problem's
    // budget, only as much of it as shows that.
    Bytes device_bytes(const PlanChoice& choice, const StageOptions& options);

    // Exact. Predicts at the problem's depth, or at a full cache where the batch does not fit
    // behind that depth.
    Candidate evaluate(const PlanChoice& choice, const StageOptions& options);

    // The same with the scratch of a choice of the same kind, in a fraction of the time.
    Candidate estimate(const PlanChoice& choice, const StageOptions& options);

    // Predicts the candidate at another depth, or at a full cache likewise.
    std::optional<Prediction> predict_at(const Candidate& candidate, std::uint32_t depth_tokens);

    // The candidate's seconds at all depths; `known`: what was predicted, by ascending depths.
    PassTimes pass_times(const Candidate& candidate,
                         const std::vector<std::optional<Prediction>>& known);

    TierDetail detail(const Candidate& candidate);

private:
    struct ScratchPeaks {
        Bytes gpu = 0;
        Bytes cpu = 0;
    };

    // The scratch of the choices of a kind is that of the first that was named, packed when it is
    // first asked for.
    struct KindScratch {
        PlanChoice first;
        std::optional<ScratchPeaks> peaks{};
    };

    // What lower() gives until Slots. A search asks for the same choice again and again.
    const Lowered& cut(const PlanChoice& choice, const StageOptions& options);
    Lowered lowered(const PlanChoice& choice, const StageOptions& options, LowerUntil until);
    Candidate candidate_of(const Lowered& lowered,
                           const PlanChoice& choice,
                           const StageOptions& options);
    KindScratch& kind(const PlanChoice& choice, const StageOptions& options);
    // The most scratch seen among choices of that kind.
    ScratchPeaks& scratch_of_kind(const PlanChoice& choice, const StageOptions& options);
    const ScratchPeaks& peaks_of(const Lowered& cut, const StageOptions& options);
    const GraphCost& cost_at(std::uint32_t depth_tokens);
    std::optional<Prediction> predict(const Lowered& lowered,
                                      const Candidate& candidate,
                                      std::uint32_t depth_tokens,
                                      Timeline* timeline);

    const Problem& problem_;
    const Graph& graph_;
    std::shared_ptr<PackingMemo> packed_;
    GraphFacts facts_;
    FusedRuns fused_;  // of the graph
    Idle idle_;        // what stays with the CPU
    std::optional<Roofline> roofline_;
    std::optional<LinkRates> link_;
    std::map<std::array<int, 8>, Lowered> cuts_;       // by choice and options
    std::map<std::uint32_t, GraphCost> costs_;         // by depth
    std::map<std::array<int, 8>, KindScratch> kinds_;  // of choices
    std::map<std::uint64_t, ScratchPeaks> peaks_;      // by what they follow from
};

// What becomes of large batches over weights in host memory depends on who runs the placement
// [A29]. PSHARD0 lets the CPU compute them, whatever the strategy. All plans are for PSHARD0.
constexpr StageOptions as_planned(bool slice_experts) { return {OpOffload::Never, slice_experts}; }

// Stock llama.cpp uploads them, and the GPU computes them. Plans are held against that.
inline constexpr StageOptions kAsStock{OpOffload::Stock, false};

}  // namespace pshard
