// The quality of plans, as a table in the tree: real shapes, three machines, two budgets, four
// batch sizes. What a change of the planner makes better or worse shows here, and fails until the
// new table is committed with its reason.
//
// Rates agree to a millionth, all other columns exactly. Where they do not, the test leaves the
// table that it computed beside the build and says where.

#include <fstream>

#include "build_paths.h"
#include "search/search.h"
#include "support/machines.h"
#include "support/sanitizer.h"
#include "support/stock_memory.h"
#include "support/testing.h"

namespace pshard {
namespace {

using testing_support::kTestMachines;
using testing_support::RealModel;

constexpr double kSame = 1e-6;
constexpr const char* kTable = PSHARD_SOURCE_DIR "/tests/golden/plan_baseline.csv";

constexpr RealModel kModels[] = {{"Llama-3.1-8B", "Q8_0"},
                                 {"Gemma-3-27B", "Q4_K_M"},
                                 {"Llama-3.3-70B", "Q4_K_M"},
                                 {"gpt-oss-20b", "MXFP4"},
                                 {"Qwen3-30B-A3B", "Q4_K_M"},
                                 {"GLM-4.5-Air", "Q4_K_M"},
                                 {"Granite-4.0-H-Small", "Q4_K_M"}};

constexpr double kBudgetShares[] = {0.25, 0.6};  // of all-resident

Inventory captured(const RealModel& model) {
    const auto path = testing_support::sparse_model(model.shape, model.quant);
    PSHARD_CHECK(path.ok());
    Result<Inventory> inventory = testing_support::captured_tiers(path.value(), {1, 16, 512, 2048});
    PSHARD_CHECK(inventory.ok());
    return std::move(inventory).value();
}

std::string plan_text(const Candidate& plan) {
    const PlanChoice& choice = plan.choice;
    return fmt::format("{},{},{},{},{},{},{},{},{:.9g}",
                       strategy_name(choice.strategy),
                       choice.n_pinned,
                       choice.n_attn_pinned,
                       overflow_name(choice.overflow),
                       choice.output_on_gpu ? "GPU" : "CPU",
                       choice.pin_from_back ? "back" : "front",
                       plan.options.slice_experts ? "slices" : "whole",
                       plan.memory.device.total(),
                       plan.prediction->tokens_per_second);
}

class Baseline {
public:
    std::vector<std::string> rows() {
        rows_ = {
            "machine,model,budget_mib,tokens,strategy,n_pinned,n_attn_pinned,overflow,head,pinned_"
            "from,experts,device_bytes,tokens_per_second"};
        for (const RealModel& model : kModels) add(model);
        return std::move(rows_);
    }

private:
    void add(const RealModel& model) {
        const Inventory inventory = captured(model);
        const auto all = double(all_resident_bytes(inventory, inventory.graphs.back()));
        for (const auto& machine : kTestMachines) {
            const MachineProfile profile = testing_support::machine_profile(machine);
            for (const double share : kBudgetShares) {
                const auto mib = Bytes(all * share / double(kMiB));
                const Problem problem{inventory, &profile, mib * kMiB, 4096, {}, {}};
                add_tiers(fmt::format("{},{},{}", machine.name, model.shape, mib), problem);
            }
        }
    }

    void add_tiers(const std::string& begin, const Problem& problem) {
        for (const TierPlan& tier : plan_tiers(problem)) {
            const Candidate* winner = tier.winner();
            rows_.push_back(fmt::format("{},{},{}",
                                        begin,
                                        to_text(tier.key),
                                        winner == nullptr ? "none" : plan_text(*winner)));
        }
    }

    std::vector<std::string> rows_;
};

std::vector<std::string> lines_of(const char* path) {
    std::ifstream file(path);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
}

// Equal to the last comma, and as good as equal in the number after it.
bool is_same(const std::string& a, const std::string& b) {
    const std::size_t at = a.rfind(',');
    if (a == b) return true;
    if (at == std::string::npos || b.rfind(',') != at || a.compare(0, at, b, 0, at) != 0) {
        return false;
    }
    const double rate_a = std::strtod(a.c_str() + at + 1, nullptr);
    const double rate_b = std::strtod(b.c_str() + at + 1, nullptr);
    return std::abs(rate_a - rate_b) <= kSame * rate_a;
}

TEST(PlanBaseline, PlansAreAsGoodAsTheTableSays) {
    PSHARD_TOO_SLOW_SANITIZED();
    const std::vector<std::string> now = Baseline().rows();
    const std::vector<std::string> before = lines_of(kTable);
    EXPECT_EQ(now.size(), before.size());
    for (std::size_t i = 0; i < std::min(now.size(), before.size()); ++i) {
        EXPECT_TRUE(is_same(before[i], now[i])) << "was " << before[i] << "\nis  " << now[i];
    }
    if (!HasFailure()) return;
    const std::string computed = testing::TempDir() + "plan_baseline.csv";
    std::ofstream file(computed);
    for (const std::string& row : now) file << row << '\n';
    ADD_FAILURE()
        << "plans have changed; if for the better, or for a reason that the commit gives: "
        << "cp " << computed << ' ' << kTable;
}

}  // namespace
}  // namespace pshard
