#include "plugin/settings.h"

#include <fmt/format.h>

#include <cstdlib>
#include <string_view>

#include "base/text.h"
#include "strategy/rules.h"

namespace pshard {
namespace {

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
}

Result<ForcedStrategy> forced_strategy(std::string text) {
    constexpr std::string_view kSlices = "+slices";
    ForcedStrategy forced;
    forced.slice_experts = text.ends_with(kSlices);
    if (forced.slice_experts) text.resize(text.size() - kSlices.size());
    const std::size_t colon = text.find(':');
    const std::optional<Strategy> strategy = strategy_of(text.substr(0, colon));
    if (colon != std::string::npos) {
        const std::optional<std::uint32_t> pinned =
            number_of<std::uint32_t>(text.substr(colon + 1));
        if (pinned) forced.n_pinned = static_cast<int>(*pinned);
    }
    if (!strategy || (colon != std::string::npos && !forced.n_pinned)) {
        return Error{fmt::format("PSHARD_STRATEGY: '{}' is no strategy; give a name or a number "
                                 "from 0 to {}, and ':LAYERS' to pin so many",
                                 text,
                                 strategy_rules().size() - 1),
                     {}};
    }
    forced.strategy = *strategy;
    return forced;
}

// "auto" forces none, as in the planner.
Status read_forced(PluginSettings& settings) {
    const std::string strategies = variable("PSHARD_STRATEGY");
    if (strategies == "auto") return Done{};
    for (const std::string& part : split(strategies, ';')) {
        Result<ForcedStrategy> forced = forced_strategy(part);
        if (!forced) return forced.error();
        settings.forced.push_back(forced.value());
    }
    return Done{};
}

// Reads the budget. 0 means what the device has, as -mva 0 does.
Status read_budget(PluginSettings& settings) {
    constexpr const char* kBudget = "PSHARD_MAX_VRAM_ALLOC";
    const std::string text = variable(kBudget);
    if (text.empty()) return Done{};
    const Result<std::uint32_t> mib = mib_of(kBudget, text);
    if (!mib) return mib.error();
    if (mib.value() > 0) settings.budget = mib.value() * kMiB;
    return Done{};
}

Status read_page_locks(PluginSettings& settings) {
    constexpr const char* kPageLocks = "PSHARD_PAGE_LOCKS";
    const std::string text = variable(kPageLocks);
    if (text.empty()) return Done{};
    if (text == "off") {
        settings.page_locks = 0;
        return Done{};
    }
    const Result<std::uint32_t> mib = mib_of(kPageLocks, text);
    if (!mib) {
        return Error{fmt::format("{}: '{}' is neither 'off' nor a number of MiB", kPageLocks, text),
                     {}};
    }
    settings.page_locks = mib.value() * kMiB;
    return Done{};
}

Result<PlanName> plan_name(const std::string& text) {
    const std::vector<std::string> parts = split(text, ':');
    const auto part = [&](std::size_t i) { return i < parts.size() ? parts[i] : std::string(); };
    const std::optional<Hash64> section = hash_of(part(0));
    const std::optional<std::uint32_t> cache_ubatch = number_of<std::uint32_t>(part(1));
    const std::optional<Hash64> weights = hash_of(part(2));
    const std::size_t n_read = cache_ubatch ? weights ? 3 : 2 : 1;
    if (!section || parts.size() != n_read) {
        return Error{fmt::format("PSHARD_FINGERPRINT: '{}' names no plan; give the fingerprint of "
                                 "a registry's section, 0x and 16 hex digits, ':N' for its variant "
                                 "with cache_ubatch=N, and ':0x...' for that with weights=0x...",
                                 text),
                     {}};
    }
    return PlanName{*section, cache_ubatch, weights};
}

Status read_plan_names(PluginSettings& settings) {
    for (const std::string& part : split(variable("PSHARD_FINGERPRINT"), ',')) {
        const Result<PlanName> name = plan_name(part);
        if (!name) return name.error();
        settings.plans.push_back(name.value());
    }
    return Done{};
}

Status read_plan(PluginSettings& settings) {
    settings.profiles = {variable("PSHARD_CPU_PROFILE"),
                         variable("PSHARD_GPU_PROFILE"),
                         "",
                         profile_cache(variable("XDG_CACHE_HOME"), variable("HOME")),
                         /*runs_here=*/true};
    const std::string text = variable("PSHARD_PLAN");
    if (!text.empty() && text != "auto" && text != "off") {
        return Error{fmt::format("PSHARD_PLAN: '{}' is neither 'auto' nor 'off'", text), {}};
    }
    settings.plan_here = text != "off";
    return Done{};
}

Status read_check(PluginSettings& settings) {
    const std::string text = variable("PSHARD_CHECK");
    settings.check = text == "1";
    if (text.empty() || text == "0" || text == "1") return Done{};
    return Error{fmt::format("PSHARD_CHECK: '{}' is neither 0 nor 1", text), {}};
}

Status read_tests(PluginSettings& settings) {
    const std::string rotate = variable("PSHARD_ROTATE");
    if (!rotate.empty()) {
        const std::optional<std::uint32_t> graphs = number_of<std::uint32_t>(rotate);
        if (!graphs) return Error{fmt::format("PSHARD_ROTATE: '{}' is no number", rotate), {}};
        settings.replan_every = static_cast<int>(*graphs);
    }
    for (const std::string& part : split(variable("PSHARD_CHAOS"), ',')) {
        if (part != "no-upload" && part != "no-fence") {
            return Error{fmt::format("PSHARD_CHAOS: '{}' is not known", part), {}};
        }
        (part == "no-upload" ? settings.chaos.no_upload : settings.chaos.no_fence) = true;
    }
    return Done{};
}

}  // namespace

Result<PluginSettings> read_settings() {
    PluginSettings settings;
    settings.device = variable("PSHARD_DEVICE");
    settings.registry = variable("PSHARD_REGISTRY");
    settings.trace = variable("PSHARD_TRACE");
    for (const auto& read : {read_budget,
                             read_plan_names,
                             read_plan,
                             read_page_locks,
                             read_check,
                             read_forced,
                             read_tests}) {
        if (Status status = read(settings); !status) return status.error();
    }
    return settings;
}

}  // namespace pshard
