// The machine-readable form. Its fields and their meaning are a promise:
// docs/cli/llama-pshard-plan-params.md describes them, and kVersion is raised when one changes.
#include "report/json_kit.h"
#include "report/report.h"
#include "report/words.h"

namespace pshard {
namespace {

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

// The best candidate of each strategy but the winner's, and those that could not run.
Json rivals_of(const TierPlan& tier) {
    Json rivals = Json::array();
    for (const Candidate* candidate : best_rivals(tier)) rivals.push_back(json_of(*candidate));
    for (const Candidate& refused : tier.refused) rivals.push_back(json_of(refused));
    return rivals;
}

Json json_of(const TierPlan& tier, const std::optional<Candidate>& stock_fit) {
    const Candidate* plan = tier.winner();
    Json json = key_json(tier.key);
    json.update({{"viable", plan != nullptr},
                 {"plan", plan != nullptr ? json_of(*plan) : Json(nullptr)},
                 {"empty_cache", json_of(tier.empty)},
                 {"full_cache", json_of(tier.full)},
                 {"rivals", rivals_of(tier)},
                 {"stock_fit", stock_fit ? json_of(*stock_fit) : Json(nullptr)}});
    return json;
}

Json stock_json(const Planning& planning) {
    if (!planning.plan.baseline_vram) return nullptr;
    Json rates = Json::array();
    for (const StockRate& rate : planning.stock_rates) {
        Json json = key_json(rate.tier);
        json.update({{"device_bytes", rate.resident.memory.device.total()},
                     {"prediction", json_of(rate.resident.prediction)},
                     {"empty_cache", json_of(rate.empty)},
                     {"full_cache", json_of(rate.full)}});
        rates.push_back(std::move(json));
    }
    return {{"vram_bytes", *planning.plan.baseline_vram}, {"tiers", std::move(rates)}};
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

Json model_json(const Planning& planning) {
    const Inventory& model = planning.inventory;
    return {{"path", planning.model_path},
            {"name", model.model_name},
            {"architecture", model.architecture},
            {"n_layers", model.n_layers},
            {"n_experts", model.n_experts},
            {"n_experts_used", model.n_experts_used},
            {"file_bytes", model.total_file_bytes}};
}

Json budget_json(const Planning& planning) {
    const BudgetUse& budget = planning.budget;
    return {{"total_bytes", budget.total},
            {"draft_bytes", budget.draft},
            {"mmproj_bytes", budget.mmproj},
            {"reserve_bytes", budget.reserve},
            {"pools_bytes", budget.pools},
            {"plan_bytes", planning.plan.budget},
            {"origin", budget.origin}};
}

Json json_of(const Planning& planning) {
    Json tiers = Json::array();
    for (std::size_t i = 0; i < planning.plan.tiers.size(); ++i) {
        tiers.push_back(json_of(planning.plan.tiers[i], planning.stock_fits[i]));
    }
    Json dominated = Json::array();
    for (const TierPlan& tier : planning.plan.dominated)
        dominated.push_back(json_of(tier, std::nullopt));
    Json switches = Json::array();
    for (const auto& row : planning.plan.switches) {
        Json bytes = Json::array();
        for (const SwitchBytes& one : row) bytes.push_back(one.total());
        switches.push_back(std::move(bytes));
    }
    const std::optional<std::string> forced =
        planning.forced ? std::optional(std::string(strategy_name(*planning.forced)))
                        : std::nullopt;
    const std::optional<std::string> fingerprint =
        planning.fingerprint ? std::optional(to_text(*planning.fingerprint)) : std::nullopt;
    return {{"model", model_json(planning)},
            {"context", context_json(planning.inventory)},
            {"budget", budget_json(planning)},
            {"machine", machine_text(planning.profile)},
            {"n_threads", planning.n_threads},
            {"depth_tokens", planning.depth_tokens},
            {"forced_strategy", or_null(forced)},
            {"fingerprint", or_null(fingerprint)},
            {"registry", planning.registry_path},
            {"verify_seconds", or_null(planning.verify_seconds)},
            {"cache_ubatch", planning.plan.cache_ubatch},
            {"stock_holds_all", stock_json(planning)},
            {"tiers", std::move(tiers)},
            {"dominated_tiers", std::move(dominated)},
            {"switch_bytes", std::move(switches)},
            {"notes", planning.notes}};
}

}  // namespace

std::string to_json(const std::vector<Planning>& plannings) {
    Json plans = Json::array();
    for (const Planning& planning : plannings) plans.push_back(json_of(planning));
    return dump({{"schema", kSchema}, {"version", kVersion}, {"plans", std::move(plans)}}, 2);
}

std::string to_json_lines(const std::vector<Planning>& plannings) {
    std::string text;
    for (const Planning& planning : plannings) {
        Json line = {{"schema", kSchema}, {"version", kVersion}};
        line.update(json_of(planning));
        text += dump(line, -1);
    }
    return text;
}

}  // namespace pshard
