#include "explain/explanation.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "plan/step_labels.h"
#include "registry/pshard_lines.h"
#include "report/words.h"
#include "strategy/rules.h"

namespace pshard {
namespace {

// The lane that holds most bytes, by layer and side.
std::vector<LayerLanes> layer_lanes(const Inventory& inventory, const Placement& placement) {
    using Tally = std::array<std::array<Bytes, 4>, 2>;  // [side][lane]
    std::vector<Tally> tallies(static_cast<std::size_t>(inventory.n_layers));
    for (std::size_t w = 0; w < inventory.weights.size(); ++w) {
        const Weight& weight = inventory.weights[w];
        if (weight.layer < 0 || weight.layer >= inventory.n_layers) continue;
        const std::size_t side = weight.side == Side::Ffn ? 1 : 0;
        const auto lane = static_cast<std::size_t>(placement.weights[w].kind);
        tallies[static_cast<std::size_t>(weight.layer)][side][lane] += weight.bytes;
    }
    const auto most = [](const std::array<Bytes, 4>& lanes) {
        const auto most_bytes = std::max_element(lanes.begin(), lanes.end());
        return Lane{static_cast<Lane::Kind>(most_bytes - lanes.begin())};
    };
    std::vector<LayerLanes> layers;
    for (const Tally& tally : tallies) {
        const bool one_side =
            std::all_of(tally[1].begin(), tally[1].end(), [](Bytes bytes) { return bytes == 0; });
        layers.push_back({most(tally[0]), most(tally[one_side ? 0 : 1])});
    }
    return layers;
}

TracedPass predicted_pass(const Planning& planning,
                          const Graph& graph,
                          const Candidate& winner,
                          TierDetail detail) {
    TracedPass pass;
    pass.n_tokens = graph.n_tokens;
    pass.tier = graph.tier();
    pass.plan =
        fmt::format("{}, {}", strategy_name(winner.choice.strategy), choice_text(winner.choice));
    for (const StepLabel& label :
         label_steps(planning.inventory, graph, detail.lowered.cut, detail.lowered.schedule)) {
        pass.names.push_back(label.name);
        pass.bytes.push_back(label.bytes);
    }
    pass.schedule = std::move(detail.lowered.schedule);
    if (detail.timeline) pass.timeline = std::move(*detail.timeline);
    return pass;
}

ExplainedTier explain_tier(const Planning& planning, TierStudy study) {
    ExplainedTier tier;
    const Graph& graph = *graph_of_tier(planning.inventory, study.plan.key);
    const Problem problem = problem_of(planning);
    tier.bound = lower_bound(problem, graph, Overlap::Any);
    tier.bound_in_order = lower_bound(problem, graph, Overlap::InOrder);
    tier.plan = std::move(study.plan);
    tier.depths = std::move(study.depths);
    const Candidate* winner = tier.plan.winner();
    if (winner == nullptr) return tier;
    tier.layers = layer_lanes(planning.inventory, study.detail.lowered.placement);
    tier.pass = predicted_pass(planning, graph, *winner, std::move(study.detail));
    return tier;
}

const ExplainedTier* tier_of(const Explanation& explanation, const TierKey& key) {
    const auto found = std::ranges::find(
        explanation.tiers, key, [](const ExplainedTier& tier) { return tier.plan.key; });
    return found == explanation.tiers.end() ? nullptr : &*found;
}

// The steps of a lane, in words and in order.
std::vector<std::string> steps_of(const ShownPass& pass, ScheduleLane lane) {
    std::vector<std::string> steps;
    for (const ShownStep& step : pass.steps) {
        if (step.lane == lane) steps.push_back(step.kind + " " + step.name);
    }
    return steps;
}

// Whether a run did what was predicted. In a planned graph the CPU first embeds the tokens;
// llama.cpp leaves that to its own CPU backend, so that a run does not see it.
bool does_the_same(const ShownPass& measured, const ShownPass& predicted) {
    for (std::size_t i = 0; i < kScheduleLanes; ++i) {
        const ScheduleLane lane = ScheduleLane::at(i);
        const std::vector<std::string> done = steps_of(measured, lane);
        std::vector<std::string> planned = steps_of(predicted, lane);
        const bool embeds = lane == ScheduleLane::Cpu && planned.size() == done.size() + 1;
        if (embeds) planned.erase(planned.begin());
        if (done != planned) return false;
    }
    return true;
}

using Passes = std::vector<const TracedPass*>;

// The passes that fill the tier, else those of the commonest number of tokens.
Passes alike(const Passes& passes) {
    std::map<std::uint32_t, Passes> by_tokens;
    for (const TracedPass* pass : passes) by_tokens[pass->n_tokens].push_back(pass);
    const auto full = by_tokens.find(passes.front()->tier.n_tokens);
    if (full != by_tokens.end()) return full->second;
    const auto fewer = [](const auto& a, const auto& b) {
        return a.second.size() < b.second.size();
    };
    return std::max_element(by_tokens.begin(), by_tokens.end(), fewer)->second;
}

// `all`: the passes of one tier, at least one.
MeasuredTier measured_tier(const Passes& all, const Explanation& explanation) {
    Passes passes = alike(all);
    std::ranges::sort(passes, {}, [](const TracedPass* pass) { return pass->timeline.end; });
    const TracedPass& median = *passes[passes.size() / 2];
    MeasuredTier tier;
    tier.tier = median.tier;
    tier.n_tokens = median.n_tokens;
    tier.n_passes = passes.size();
    tier.n_others = all.size() - passes.size();
    tier.median_seconds = median.timeline.end;
    tier.pass = shown(median);
    const ExplainedTier* predicted = tier_of(explanation, median.tier);
    if (predicted == nullptr || predicted->plan.winner() == nullptr) return tier;
    tier.same_schedule = does_the_same(tier.pass, shown(predicted->pass));
    const Prediction* prediction = prediction_of(predicted->plan);
    const bool full = tier.n_tokens == tier.tier.n_tokens;
    if (prediction != nullptr && full) tier.predicted_seconds = prediction->pass_seconds;
    return tier;
}

}  // namespace

std::optional<double> ExplainedTier::reached(const std::optional<LowerBound>& of) const {
    const Prediction* prediction = prediction_of(plan);
    if (!of || prediction == nullptr) return std::nullopt;
    return of->seconds / prediction->pass_seconds;
}

ShownPass shown(const TracedPass& pass) {
    ShownPass out;
    out.end = pass.timeline.end;
    for (const Interval& interval : pass.timeline.intervals) {
        const auto i = static_cast<std::size_t>(interval.step);
        const Step& step = pass.schedule.steps[i];
        out.steps.push_back({step.lane,
                             std::string(kind_name(step)),
                             pass.names[i],
                             interval.begin,
                             interval.end,
                             pass.bytes[i]});
    }
    for (std::size_t lane = 0; lane < out.busy.size(); ++lane) {
        out.busy[lane] = busy_seconds(pass.timeline, pass.schedule, ScheduleLane::at(lane));
    }
    return out;
}

Explanation explain_plan(const Planning& planning, std::vector<TierStudy> studies) {
    Explanation explanation{planning, {}, {}, {}, std::nullopt};
    for (TierStudy& study : studies) {
        explanation.tiers.push_back(explain_tier(planning, std::move(study)));
    }
    return explanation;
}

Measured compare(const Trace& trace, const Explanation& explanation) {
    const std::string weights = to_text(weights_hash(explanation.planning.inventory.weights));
    Measured measured{trace.program, trace.device, trace.model, {}, 0, trace.cut_off};
    std::map<TierKey, Passes> by_tier;
    for (const TracedPass& pass : trace.passes) {
        const bool ours = pass.weights.empty() || pass.weights == weights;
        if (ours) by_tier[pass.tier].push_back(&pass);
        measured.n_foreign += ours ? 0 : 1;
    }
    for (const auto& [tier, passes] : by_tier) {
        measured.tiers.push_back(measured_tier(passes, explanation));
    }
    return measured;
}

}  // namespace pshard
