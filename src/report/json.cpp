// The machine-readable form. Its fields and their meaning are a promise: they are told in
// docs/cli/llama-pshard-plan-params.md, and kVersion is raised when one changes.
#include <optional>

#include <nlohmann/json.hpp>

#include "report/key_json.h"
#include "report/report.h"
#include "report/words.h"

namespace pshard {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kSchema = "pshard-plan";
constexpr int kVersion = 1;

Json json_of(const std::optional<Prediction>& prediction) {
    if (!prediction) return nullptr;
    return {{"tokens_per_second", prediction->tokens_per_second},
            {"pass_seconds", prediction->pass_seconds},
            {"depth_tokens", prediction->depth_tokens},
            {"bound_by", bound_name(prediction->bound_by)},
            {"extrapolated", prediction->extrapolated}};
}

Json json_of(const PlanChoice& choice) {
    return {{"strategy", strategy_name(choice.strategy)},
            {"n_pinned", choice.n_pinned},
            {"n_attn_pinned", choice.n_attn_pinned},
            {"overflow", overflow_name(choice.overflow)},
            {"output_on_gpu", choice.output_on_gpu},
            {"pin_from_back", choice.pin_from_back}};
}

Json json_of(const MemoryUse& memory) {
    const DeviceUse& device = memory.device;
    const HostUse& host = memory.host;
    return {{"device_bytes", device.total()},
            {"device_parts",
             {{"weights", device.weights},
              {"states", device.states},
              {"slots", device.slots},
              {"scratch", device.scratch}}},
            {"host_bytes", host.total()},
            {"host_parts",
             {{"streamed", host.streamed},
              {"computed", host.computed},
              {"states", host.states},
              {"scratch", host.scratch}}}};
}

Json json_of(const Candidate& candidate) {
    Json json = {{"choice", json_of(candidate.choice)},
                 {"slice_experts", candidate.options.slice_experts},
                 {"memory", json_of(candidate.memory)},
                 {"prediction", json_of(candidate.prediction)}};
    if (!candidate.reason.empty()) json["reason"] = candidate.reason;
    return json;
}

// The best of each strategy but the winner's, and those that could not run.
Json rivals_of(const TierPlan& tier) {
    Json rivals = Json::array();
    for (const Candidate* candidate : best_rivals(tier)) rivals.push_back(json_of(*candidate));
    for (const Candidate& refused : tier.refused) rivals.push_back(json_of(refused));
    return rivals;
}

Json stock_fit_json(const PlanReport& report, const TierKey& tier) {
    const Graph& graph = *graph_of_tier(report.inventory, tier);
    const std::optional<Candidate> fit = stock_fit(problem_of(report), graph);
    return fit ? json_of(*fit) : Json(nullptr);
}

Json json_of(const PlanReport& report, const TierPlan& tier) {
    const Candidate* plan = tier.winner();
    Json json = key_json(tier.key);
    json.update({{"viable", plan != nullptr},
                 {"plan", plan != nullptr ? json_of(*plan) : Json(nullptr)},
                 {"empty_cache", json_of(tier.empty)},
                 {"full_cache", json_of(tier.full)},
                 {"rivals", rivals_of(tier)},
                 {"stock_fit", stock_fit_json(report, tier.key)}});
    return json;
}

Json stock_json(const PlanReport& report) {
    if (!report.plan.baseline_vram) return nullptr;
    Json rates = Json::array();
    for (const StockRate& rate : stock_rates(report)) {
        Json json = key_json(rate.tier);
        json.update({{"device_bytes", rate.resident.memory.device.total()},
                     {"prediction", json_of(rate.resident.prediction)},
                     {"empty_cache", json_of(rate.empty)},
                     {"full_cache", json_of(rate.full)}});
        rates.push_back(std::move(json));
    }
    return {{"vram_bytes", *report.plan.baseline_vram}, {"tiers", std::move(rates)}};
}

Json context_json(const Inventory& inventory) {
    const ContextSpec& context = inventory.context;
    return {{"n_ctx", context.n_ctx},
            {"n_ubatch", context.n_ubatch},
            {"n_seq_max", context.n_seq_max},
            {"kv_unified", context.kv_unified},
            {"swa_full", context.swa_full},
            {"windowed", is_windowed(inventory)},
            {"flash_attention", inventory.flash_attention},
            {"type_k", context.type_k},
            {"type_v", context.type_v},
            {"output_rows", output_rows(context, context.n_ubatch)}};
}

Json model_json(const PlanReport& report) {
    const Inventory& model = report.inventory;
    return {{"path", report.model_path},
            {"name", model.model_name},
            {"architecture", model.architecture},
            {"n_layers", model.n_layers},
            {"n_experts", model.n_experts},
            {"n_experts_used", model.n_experts_used},
            {"file_bytes", model.total_file_bytes}};
}

Json budget_json(const PlanReport& report) {
    const BudgetUse& budget = report.budget;
    return {{"total_bytes", budget.total},
            {"draft_bytes", budget.draft},
            {"mmproj_bytes", budget.mmproj},
            {"reserve_bytes", budget.reserve},
            {"plan_bytes", report.plan.budget},
            {"origin", budget.origin}};
}

template <typename T>
Json or_null(const std::optional<T>& value) {
    return value ? Json(*value) : Json(nullptr);
}

Json json_of(const PlanReport& report) {
    Json tiers = Json::array();
    for (const TierPlan& tier : report.plan.tiers) tiers.push_back(json_of(report, tier));
    Json switches = Json::array();
    for (const auto& row : report.plan.switches) {
        Json bytes = Json::array();
        for (const SwitchBytes& one : row) bytes.push_back(one.total());
        switches.push_back(std::move(bytes));
    }
    const std::optional<std::string> forced =
        report.forced ? std::optional(std::string(strategy_name(*report.forced))) : std::nullopt;
    const std::optional<std::string> fingerprint =
        report.fingerprint ? std::optional(to_text(*report.fingerprint)) : std::nullopt;
    return {{"model", model_json(report)},
            {"context", context_json(report.inventory)},
            {"budget", budget_json(report)},
            {"machine", machine_text(report.profile)},
            {"n_threads", report.n_threads},
            {"depth_tokens", report.depth_tokens},
            {"forced_strategy", or_null(forced)},
            {"fingerprint", or_null(fingerprint)},
            {"registry", report.registry_path},
            {"cache_ubatch", report.plan.cache_ubatch},
            {"stock_holds_all", stock_json(report)},
            {"tiers", std::move(tiers)},
            {"switch_bytes", std::move(switches)},
            {"notes", report.notes}};
}

// Names in a model file may be any bytes: what is no UTF-8 is replaced.
std::string dump(const Json& json, int indent) {
    return json.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string to_json(const std::vector<PlanReport>& reports) {
    Json plans = Json::array();
    for (const PlanReport& report : reports) plans.push_back(json_of(report));
    return dump({{"schema", kSchema}, {"version", kVersion}, {"plans", std::move(plans)}}, 2);
}

std::string to_json_lines(const std::vector<PlanReport>& reports) {
    std::string text;
    for (const PlanReport& report : reports) {
        Json line = {{"schema", kSchema}, {"version", kVersion}};
        line.update(json_of(report));
        text += dump(line, -1);
    }
    return text;
}

}  // namespace pshard
