// The plan that the backend makes at a model's first graphs, where no registry has one: what
// planner/tier_choice.h does, on the graphs of a saved inventory.
//
//   bench_first_plan INVENTORY BUDGET_MIB CPU_PROFILE GPU_PROFILE
//
// Prints the seconds of CPU. A backend knows the graphs that have come, mostly two; an inventory
// has those of all tiers, so that this is the most that it takes.
#include <cstdlib>
#include <ctime>

#include <fmt/format.h>

#include "base/atomic_file.h"
#include "inventory/inventory_text.h"
#include "machine/profile_text.h"
#include "planner/tier_choice.h"

namespace pshard {
namespace {

constexpr std::size_t kMostBytes = 512 * kMiB;

void print_plan(const std::string& path, Bytes budget, const ProfileNames& names) {
    const Result<std::optional<std::string>> text = read_file(path, kMostBytes);
    PSHARD_CHECK(text.ok() && text.value().has_value());
    const Result<Inventory> inventory = inventory_from_text(*text.value(), path);
    PSHARD_CHECK(inventory.ok());
    const Result<MachineProfile> profile = read_profile_files(names);
    PSHARD_CHECK(profile.ok());
    const std::uint32_t depth = tokens_per_sequence(inventory.value().context) / 2;
    const Problem problem{inventory.value(), &profile.value(), budget, depth, {}, std::nullopt};
    const std::clock_t begin = std::clock();
    const std::vector<TierChoice> choices = plan_for_device(problem);
    const double seconds = double(std::clock() - begin) / CLOCKS_PER_SEC;
    fmt::print("{:.2f} s for {} tiers\n", seconds, choices.size());
}

}  // namespace
}  // namespace pshard

int main(int argc, char** argv) {
    if (argc != 5) {
        fmt::print(stderr, "usage: {} INVENTORY BUDGET_MIB CPU_PROFILE GPU_PROFILE\n", argv[0]);
        return 1;
    }
    pshard::print_plan(argv[1],
                       std::strtoull(argv[2], nullptr, 10) * pshard::kMiB,
                       pshard::ProfileNames{argv[3], argv[4]});
    return 0;
}
