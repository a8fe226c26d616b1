#include "run/goal.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace pshard::tool {
namespace {

struct GoalRow {
    Goal goal;
    std::string_view name;
    std::uint32_t n_parallel;
    std::uint32_t tier_max;     // tokens
    std::uint32_t depth_parts;  // quarters of what a sequence holds
    Workload workload;
};

constexpr std::array kGoals = {
    GoalRow{Goal::Chat, "chat", 1, 2048, 1, {512, 256}},
    GoalRow{Goal::Agent, "agent", 1, 16384, 3, {8192, 256}},
    GoalRow{Goal::Batch, "batch", 8, 16384, 1, {512, 128}},
    GoalRow{Goal::Bench, "bench", 1, 16384, 0, {512, 128}},
};

const GoalRow& row_of(Goal goal) { return kGoals[static_cast<std::size_t>(goal)]; }

}  // namespace

std::optional<Goal> goal_of(std::string_view word) {
    for (const GoalRow& row : kGoals) {
        if (row.name == word) return row.goal;
    }
    return std::nullopt;
}

Workload workload_of(std::optional<Goal> goal, std::uint32_t n_ctx) {
    if (!goal) return {.prompt = usual_prompt(n_ctx)};
    Workload work = row_of(*goal).workload;
    if (n_ctx > 0) work.prompt = std::min(work.prompt, n_ctx);
    return work;
}

std::vector<std::string> goal_arguments(Goal goal, const Options& given) {
    const GoalRow& row = row_of(goal);
    const ContextOptions& context = given.context;
    std::vector<std::string> arguments;
    if (!context.n_parallel) arguments.push_back(fmt::format("--parallel={}", row.n_parallel));
    if (!context.tier_max && !context.n_ubatch) {
        arguments.push_back(fmt::format("--pshard-tier-max={}", row.tier_max));
    }
    const std::uint32_t n_ctx = context.n_ctx.value_or(0);
    if (given.depth || n_ctx == 0) return arguments;
    const bool shared = context.kv_unified.value_or(false) || context.n_parallel.value_or(0) < 0;
    const int slots = shared ? 1 : context.n_parallel.value_or(static_cast<int>(row.n_parallel));
    const std::uint32_t tokens = n_ctx / static_cast<std::uint32_t>(std::max(slots, 1));
    arguments.push_back(fmt::format("--depth={}", tokens / 4 * row.depth_parts));
    return arguments;
}

}  // namespace pshard::tool
