// Tells what a choice comes to in one tier: bytes and seconds.
//
// In:  a choice, and how the graph is cut (StageOptions).
// Out: a Candidate: memory, a verdict with its reason, and a prediction where there is a profile.
//
//   choice -> expand -> lower: cut, slots; schedule [, scratch] -> memory_use -> verdict
//                                        |
//               price_graph (once per depth) -> price_pass -> simulate -> prediction
//
// Packing the scratch costs as much as all the rest, and hardly depends on how many layers are
// pinned: what matters is which kinds of layers stand beside each other. So equal blocks are packed
// once (PackingMemo), cuts that differ only in what is uploaded are laid out once, and the
// evaluator knows three ways to size a choice:
//
//   device_bytes   no schedule, no prediction; for strategies, which ask it of many choices. Most
//                  are over the budget by their weights alone: nothing is cut or packed for those
//   estimate       with the scratch of the first choice of the same kind (kind_of)
//   evaluate       exact; a larger scratch than its kind's is remembered for all of the kind
//
// Traps:
// * An estimate may be too small, as the first of a kind may need less scratch than the others. No
//   plan leaves the search that was not evaluated.
// * An evaluator is no value: estimates depend on what it evaluated before. The search asks in a
//   fixed order, so the same problem gives the same plan.
// * Pinned from the back and from the front are one kind: the scratch is the same but for what lies
//   at the two ends.
#include "search/evaluator.h"

#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>

#include <fmt/format.h>

#include "base/fingerprint.h"
#include "sim/simulator.h"
#include "strategy/expand.h"

namespace pshard {
namespace {

// What bounds the pass: the largest share of work, of the link or of a kind of work of a processor.
BoundBy bound_of(const PassCosts& costs) {
    Seconds link = 0;
    for (const Duration& load : costs.loads) link += load.alone;
    const std::array<std::pair<Seconds, BoundBy>, 7> shares = {{
        {link, BoundBy::Link},
        {costs.gpu.compute, BoundBy::GpuCompute},
        {costs.gpu.memory, BoundBy::GpuMemory},
        {costs.gpu.launch, BoundBy::GpuLaunch},
        {costs.cpu.compute, BoundBy::CpuCompute},
        {costs.cpu.memory, BoundBy::CpuMemory},
        {costs.cpu.launch, BoundBy::CpuLaunch},
    }};
    return std::max_element(shares.begin(),
                            shares.end(),
                            [](const auto& a, const auto& b) { return a.first < b.first; })
        ->second;
}

bool runs_on(const StageCut& cut, Device device) {
    return std::any_of(cut.stages.begin(), cut.stages.end(), [&](const Stage& stage) {
        return stage.device == device;
    });
}

// The kind of a choice. Choices of one kind cut the graph into the same kinds of stages: the
// scratch depends on which roles layers have beside each other, not on how many have them.
std::array<int, 8> kind_of(const PlanChoice& choice, const StageOptions& options, int n_layers) {
    const auto part_of = [&](int n, int whole) { return n == 0 ? 0 : n == whole ? 2 : 1; };
    return {strategy_id(choice.strategy),
            part_of(choice.n_pinned, n_layers),
            part_of(choice.n_attn_pinned, n_layers),
            choice.n_attn_pinned == choice.n_pinned ? 1 : 0,
            static_cast<int>(choice.overflow),
            choice.output_on_gpu ? 1 : 0,
            options.slice_experts ? 1 : 0,
            static_cast<int>(options.offload)};
}

std::array<int, 8> key_of(const PlanChoice& choice, const StageOptions& options) {
    return {strategy_id(choice.strategy),
            choice.n_pinned,
            choice.n_attn_pinned,
            static_cast<int>(choice.overflow),
            choice.output_on_gpu ? 1 : 0,
            choice.pin_from_back ? 1 : 0,
            static_cast<int>(options.offload),
            options.slice_experts ? 1 : 0};
}

// The hash of all that the scratch of a cut graph follows from: who computes each node, where
// stages begin and end, and whose weights stock copies.
std::uint64_t scratch_key(const Lowered& cut, OpOffload offload) {
    std::string all;
    all.reserve(cut.cut.devices.size() + cut.cut.stages.size() * sizeof(Stage) +
                cut.placement.weights.size() * sizeof(Lane) + sizeof(offload));
    const auto add = [&all](const auto& value) {
        static_assert(std::has_unique_object_representations_v<std::decay_t<decltype(value)>>);
        all.append(reinterpret_cast<const char*>(&value), sizeof(value));
    };
    for (const Device device : cut.cut.devices) add(device);
    for (const Stage& stage : cut.cut.stages) {
        add(stage.device);
        add(stage.node_begin);
        add(stage.node_end);
    }
    add(offload);
    if (offload == OpOffload::Stock) {
        for (const Lane lane : cut.placement.weights) add(lane);
    }
    return text_hash(all).value;
}

bool streams(const Placement& placement) {
    return std::any_of(placement.weights.begin(), placement.weights.end(), is_streamed);
}

std::string over_budget(Bytes needed, Bytes budget) {
    return fmt::format("needs {:.1f} MiB of device memory, {:.1f} MiB over the budget",
                       in_mib(needed),
                       in_mib(needed - budget));
}

void set_verdict(Candidate& candidate,
                 Bytes budget,
                 const HostLimits& host,
                 const Status& schedule) {
    const Bytes needed = candidate.memory.device.total();
    const Bytes missing = host_shortage(candidate.memory.host, host);
    if (needed > budget) {
        candidate.verdict = Verdict::OverBudget;
        candidate.reason = over_budget(needed, budget);
    } else if (missing > 0) {
        candidate.verdict = Verdict::HostTooSmall;
        candidate.reason =
            fmt::format("needs {:.1f} MiB more host memory than there is", in_mib(missing));
    } else if (!schedule) {
        candidate.verdict = Verdict::NotStreamable;
        candidate.reason = schedule.error().message;
    }
}

}  // namespace

std::uint32_t full_depth(const Inventory& inventory, const Graph& graph) {
    return full_depth(inventory.context, graph.n_tokens, std::max(graph.n_seqs, 1U));
}

std::uint32_t full_depth(const ContextSpec& context, std::uint32_t n_tokens, std::uint32_t n_seqs) {
    const std::uint32_t n_cells = tokens_per_sequence(context) / (context.kv_unified ? n_seqs : 1);
    const std::uint32_t n_own = (n_tokens + n_seqs - 1) / n_seqs;
    return n_cells > n_own ? n_cells - n_own : 0;
}

Evaluator::Evaluator(const Problem& problem, const Graph& graph, LoadedBy loader)
    : problem_(problem),
      graph_(graph),
      packed_(problem.packed ? problem.packed : std::make_shared<PackingMemo>()),
      facts_(problem.inventory, graph),
      fused_(graph) {
    if (loader != LoadedBy::Stock) idle_.weights = idle_weights(problem.inventory, graph);
    if (loader == LoadedBy::Plan) idle_.states = idle_states(problem.inventory, graph);
    if (problem.profile == nullptr) return;
    roofline_.emplace(*problem.profile);
    link_ = link_rates(*problem.profile);
}

const Lowered& Evaluator::cut(const PlanChoice& choice, const StageOptions& options) {
    const auto key = key_of(choice, options);
    const auto found = cuts_.find(key);
    if (found != cuts_.end()) return found->second;
    const Inventory& inventory = problem_.inventory;
    Placement placement = expand(inventory, choice, idle_);
    return cuts_
        .emplace(key, lower_by_facts(facts_, std::move(placement), options, LowerUntil::Slots))
        .first->second;
}

Lowered Evaluator::lowered(const PlanChoice& choice,
                           const StageOptions& options,
                           LowerUntil until) {
    return lower_on({problem_.inventory, graph_}, cut(choice, options), options, until);
}

Evaluator::KindScratch& Evaluator::kind(const PlanChoice& choice, const StageOptions& options) {
    const auto key = kind_of(choice, options, problem_.inventory.n_layers);
    return kinds_.try_emplace(key, KindScratch{choice}).first->second;
}

Evaluator::ScratchPeaks& Evaluator::scratch_of_kind(const PlanChoice& choice,
                                                    const StageOptions& options) {
    KindScratch& known = kind(choice, options);
    if (!known.peaks) known.peaks = peaks_of(cut(known.first, options), options);
    return *known.peaks;
}

const Evaluator::ScratchPeaks& Evaluator::peaks_of(const Lowered& cut,
                                                   const StageOptions& options) {
    const std::uint64_t key = scratch_key(cut, options.offload);
    if (const auto found = peaks_.find(key); found != peaks_.end()) return found->second;
    const ScratchLayout scratch = scratch_peaks(
        facts_,
        {problem_.inventory, graph_, cut.placement, cut.cut, options.offload, &fused_},
        *packed_);
    return peaks_.emplace(key, ScratchPeaks{scratch.gpus[0].peak, scratch.cpu.peak}).first->second;
}

Bytes Evaluator::device_bytes(const PlanChoice& choice, const StageOptions& options) {
    const Inventory& inventory = problem_.inventory;
    const Placement placement = expand(inventory, choice, idle_);
    Bytes bytes =
        resident_weight_bytes(inventory, placement) + resident_state_bytes(inventory, placement);
    kind(choice, options);  // if it is the first of its kind, it is so without a packing, too
    if (bytes > problem_.budget) return bytes;
    bytes += scratch_of_kind(choice, options).gpu;
    if (bytes > problem_.budget || !streams(placement)) return bytes;
    return bytes + cut(choice, options).slots[0].total();
}

const GraphCost& Evaluator::cost_at(std::uint32_t depth_tokens) {
    const auto found = costs_.find(depth_tokens);
    if (found != costs_.end()) return found->second;
    return costs_
        .emplace(depth_tokens, price_graph(graph_, problem_.inventory, *roofline_, depth_tokens))
        .first->second;
}

std::optional<Prediction> Evaluator::predict(const Lowered& lowered,
                                             const Candidate& candidate,
                                             std::uint32_t depth_tokens,
                                             Timeline* timeline) {
    if (!roofline_ || !link_) return std::nullopt;
    depth_tokens = std::min(depth_tokens, full_depth(problem_.inventory, graph_));
    const GraphCost& cost = cost_at(depth_tokens);
    const bool known = (cost.gpu.known() || !runs_on(lowered.cut, Device::Gpu)) &&
                       (cost.cpu.known() || !runs_on(lowered.cut, Device::Cpu));
    if (!known || !lowered.streamable) return std::nullopt;
    const PassContext context{{{cost, *link_}},
                              page_locked_share(candidate.memory.host, problem_.host),
                              candidate.options.offload};
    const PassCosts costs =
        price_pass(problem_.inventory, graph_, lowered.placement, lowered.cut, context);
    Result<Simulation> simulation = simulate(lowered.schedule, costs);
    PSHARD_CHECK(simulation.ok());
    if (timeline != nullptr) *timeline = std::move(simulation.value().timeline);
    const Seconds seconds = simulation.value().pass_seconds;
    return Prediction{seconds,
                      graph_.n_tokens / seconds,
                      depth_tokens,
                      bound_of(costs),
                      costs.gpu.extrapolated || costs.cpu.extrapolated};
}

Candidate Evaluator::candidate_of(const Lowered& lowered,
                                  const PlanChoice& choice,
                                  const StageOptions& options) {
    Candidate candidate;
    candidate.choice = choice;
    candidate.options = options;
    candidate.memory = memory_use(problem_.inventory, lowered);
    set_verdict(candidate, problem_.budget, problem_.host, lowered.streamable);
    candidate.prediction = predict(lowered, candidate, problem_.depth_tokens, nullptr);
    return candidate;
}

Candidate Evaluator::evaluate(const PlanChoice& choice, const StageOptions& options) {
    Lowered whole = lowered(choice, options, LowerUntil::Schedule);
    const ScratchPeaks& exact = peaks_of(whole, options);
    whole.scratch.gpus[0].peak = exact.gpu;
    whole.scratch.cpu.peak = exact.cpu;
    ScratchPeaks& known = scratch_of_kind(choice, options);
    known.gpu = std::max(known.gpu, exact.gpu);
    known.cpu = std::max(known.cpu, exact.cpu);
    return candidate_of(whole, choice, options);
}

Candidate Evaluator::estimate(const PlanChoice& choice, const StageOptions& options) {
    Lowered without_scratch = lowered(choice, options, LowerUntil::Schedule);
    const ScratchPeaks& known = scratch_of_kind(choice, options);
    without_scratch.scratch.gpus[0].peak = known.gpu;
    without_scratch.scratch.cpu.peak = known.cpu;
    return candidate_of(without_scratch, choice, options);
}

std::optional<Prediction> Evaluator::predict_at(const Candidate& candidate,
                                                std::uint32_t depth_tokens) {
    return predict(lowered(candidate.choice, candidate.options, LowerUntil::Schedule),
                   candidate,
                   depth_tokens,
                   nullptr);
}

PassTimes Evaluator::pass_times(const Candidate& candidate,
                                const std::vector<std::optional<Prediction>>& known) {
    std::vector<PassPoint> points;
    for (const std::optional<Prediction>& each : known) {
        if (each) points.push_back({each->depth_tokens, each->pass_seconds});
    }
    const Lowered whole = lowered(candidate.choice, candidate.options, LowerUntil::Schedule);
    const auto seconds_at = [&](std::uint32_t depth) -> std::optional<Seconds> {
        const auto prediction = predict(whole, candidate, depth, nullptr);
        if (!prediction) return std::nullopt;
        return prediction->pass_seconds;
    };
    return {graph_.n_tokens, graph_.n_seqs, refined(points, seconds_at)};
}

TierDetail Evaluator::detail(const Candidate& candidate) {
    TierDetail detail;
    detail.lowered = lowered(candidate.choice, candidate.options, LowerUntil::Scratch);
    Timeline timeline;
    const auto prediction = predict(detail.lowered, candidate, problem_.depth_tokens, &timeline);
    if (prediction) detail.timeline = std::move(timeline);
    return detail;
}

}  // namespace pshard
