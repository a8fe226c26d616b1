#include "plan_flags/variables.h"

#include <cstdlib>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "strategy/rules.h"

namespace pshard::tool {
namespace {

// Reads PSHARD_STRATEGY: a name or an id forces one strategy.
std::optional<EarlyExit> read_forced_strategy(Options& options) {
    const char* text = std::getenv("PSHARD_STRATEGY");
    if (text == nullptr || *text == '\0' || std::string_view(text) == "auto") return std::nullopt;
    options.forced = strategy_of(text);
    if (options.forced) return std::nullopt;
    std::vector<std::string> names;
    for (const StrategyRule* rule : strategy_rules()) {
        names.push_back(fmt::format("{} ({})", rule->name, strategy_id(rule->id)));
    }
    return EarlyExit{
        1,
        fmt::format(
            "PSHARD_STRATEGY={}: no such strategy; there are {}", text, fmt::join(names, ", "))};
}

// Reads PSHARD_CHECK: 1 verifies all that search returns.
std::optional<EarlyExit> read_check(Options& options) {
    const char* text = std::getenv("PSHARD_CHECK");
    const std::string_view value = text == nullptr ? "" : text;
    options.check = value == "1";
    if (value.empty() || value == "0" || value == "1") return std::nullopt;
    return EarlyExit{1, fmt::format("PSHARD_CHECK={}: is neither 0 nor 1", value)};
}

}  // namespace

std::optional<EarlyExit> read_variables(Options& options) {
    const std::optional<EarlyExit> fault = read_forced_strategy(options);
    return fault ? fault : read_check(options);
}

}  // namespace pshard::tool
