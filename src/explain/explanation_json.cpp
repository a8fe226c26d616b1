// The machine-readable form. docs/cli/llama-pshard-explain.md describes it; kVersion is raised when
// a field changes its meaning.
#include "explain/forms.h"
#include "report/json_kit.h"
#include "report/report.h"
#include "report/words.h"

namespace pshard {
namespace {

constexpr std::string_view kSchema = "pshard-explain";
constexpr int kVersion = 1;

Json bound_json(const ExplainedTier& tier, const std::optional<LowerBound>& bound) {
    if (!bound) return nullptr;
    return {{"seconds", bound->seconds},
            {"tokens_per_second", tier.plan.key.n_tokens / bound->seconds},
            {"reached", or_null(tier.reached(bound))},
            {"prices",
             {{"first", bound->prices.first},
              {"second", bound->prices.second},
              {"link", bound->prices.link},
              {"vram_seconds_per_gib", bound->prices.vram * static_cast<double>(kGiB)}}}};
}

std::string_view lane_word(Lane lane) {
    if (is_streamed(lane)) return "streamed";
    return lane == Lane::Gpu ? "gpu" : "cpu";
}

Json layers_json(const std::vector<LayerLanes>& layers) {
    Json json = Json::array();
    for (const LayerLanes& layer : layers) {
        json.push_back({lane_word(layer.attention), lane_word(layer.ffn)});
    }
    return json;
}

Json pass_json(const ShownPass& pass) {
    if (pass.steps.empty()) return nullptr;
    Json busy = Json::object();
    for (std::size_t i = 0; i < pass.busy.size(); ++i) {
        busy[lane_name(ScheduleLane::at(i))] = pass.busy[i];
    }
    Json steps = Json::array();
    for (const ShownStep& step : pass.steps) {
        steps.push_back({{"lane", lane_name(step.lane)},
                         {"kind", step.kind},
                         {"name", step.name},
                         {"begin_seconds", step.begin},
                         {"end_seconds", step.end},
                         {"bytes", step.bytes}});
    }
    return {{"end_seconds", pass.end}, {"busy_seconds", busy}, {"steps", std::move(steps)}};
}

Json tier_json(const ExplainedTier& tier) {
    const Candidate* winner = tier.plan.winner();
    const Prediction* prediction = prediction_of(tier.plan);
    Json depths = Json::array();
    for (const DepthRate& rate : tier.depths) {
        depths.push_back(
            {{"depth_tokens", rate.depth_tokens}, {"tokens_per_second", rate.tokens_per_second}});
    }
    Json json = key_json(tier.plan.key);
    json.update(
        {{"strategy", winner != nullptr ? Json(strategy_name(winner->choice.strategy)) : Json()},
         {"tokens_per_second", prediction ? Json(prediction->tokens_per_second) : Json()},
         {"pass_seconds", prediction ? Json(prediction->pass_seconds) : Json()},
         {"bound_by", prediction ? Json(bound_name(prediction->bound_by)) : Json()},
         {"lower_bound",
          {{"any_order", bound_json(tier, tier.bound)},
           {"in_order", bound_json(tier, tier.bound_in_order)}}},
         {"layers", layers_json(tier.layers)},
         {"depths", std::move(depths)},
         {"pass", pass_json(shown(tier.pass))}});
    return json;
}

Json scenarios_json(const std::vector<Scenario>& scenarios) {
    Json json = Json::array();
    for (const Scenario& scenario : scenarios) {
        json.push_back({{"name", scenario.name},
                        {"remark", scenario.remark},
                        {"budget_bytes", scenario.budget},
                        {"tokens_per_second", scenario.rates},
                        {"strategies", scenario.plans}});
    }
    return json;
}

Json measured_json(const std::optional<Measured>& measured) {
    if (!measured) return nullptr;
    Json tiers = Json::array();
    for (const MeasuredTier& tier : measured->tiers) {
        Json json = key_json(tier.tier);
        json.update({{"shown_tokens", tier.n_tokens},
                     {"passes", tier.n_passes},
                     {"other_passes", tier.n_others},
                     {"median_seconds", tier.median_seconds},
                     {"predicted_seconds", or_null(tier.predicted_seconds)},
                     {"same_schedule", tier.same_schedule},
                     {"pass", pass_json(tier.pass)}});
        tiers.push_back(std::move(json));
    }
    return {{"program", measured->program},
            {"device", measured->device},
            {"model", measured->model},
            {"foreign_passes", measured->n_foreign},
            {"cut_off", measured->cut_off},
            {"tiers", std::move(tiers)}};
}

}  // namespace

std::string explanation_json(const Explanation& explanation) {
    Json tiers = Json::array();
    for (const ExplainedTier& tier : explanation.tiers) tiers.push_back(tier_json(tier));
    const Json json = {{"schema", kSchema},
                       {"version", kVersion},
                       {"plan", Json::parse(to_json_lines({explanation.planning}))},
                       {"tiers", std::move(tiers)},
                       {"changes", scenarios_json(explanation.changes)},
                       {"budgets", scenarios_json(explanation.budgets)},
                       {"measured", measured_json(explanation.measured)}};
    return dump(json, 1);
}

}  // namespace pshard
