// Our bytes against llama.cpp's own, for static plans: model and context equal to the byte, compute
// never above llama.cpp's by more than 2 % or 16 MiB, and never below without `verify` passing.
//
// 15 shapes of 12 architectures, each at 3 budgets and batches of 1 and 512 tokens, at every choice
// that stock llama.cpp has flags for among a handful spread over what the strategies propose.

#include "base/temp_folder.h"
#include "build_paths.h"
#include "search/search.h"
#include "strategy/rules.h"
#include "support/stock_memory.h"
#include "support/testing.h"
#include "verify/verify.h"

namespace pshard {
namespace {

using testing_support::captured_ubatch;
using testing_support::RealModel;
using testing_support::sparse_model;
using testing_support::stock_memory;
using testing_support::StockMemory;

constexpr RealModel kModels[] = {{"Llama-3.1-8B", "Q8_0"},
                                 {"Llama-3.3-70B", "Q4_K_M"},
                                 {"Llama-3.2-3B", "Q4_K_M"},
                                 {"Qwen3-32B", "Q4_0"},
                                 {"Qwen2.5-72B", "Q4_K_M"},
                                 {"Qwen3-30B-A3B", "Q4_K_M"},
                                 {"gpt-oss-20b", "MXFP4"},
                                 {"Gemma-3-27B", "Q4_K_M"},
                                 {"DeepSeek-V2-Lite", "Q4_K_M"},
                                 {"Mixtral-8x7B", "Q4_K_M"},
                                 {"GLM-4.5-Air", "Q4_K_M"},
                                 {"Qwen3-Next-80B-A3B", "Q4_K_M"},
                                 {"Granite-4.0-H-Small", "Q4_K_M"},
                                 {"Phi-4", "Q4_K_M"},
                                 {"Llama-4-Scout", "Q4_K_M"}};

constexpr double kBudgetShares[] = {0.25, 0.5, 0.8};  // of all-resident
constexpr std::size_t kChoicesPerBudget = 4;

// Exportable choices that fit, spread evenly; stock's own fit always among them.
std::vector<PlanChoice> choices_at(const Inventory& inventory, Evaluator& evaluator, Bytes budget) {
    const Sizing sizing{
        [&](const PlanChoice& c) { return evaluator.device_bytes(c, StageOptions{}); }, budget};
    std::vector<PlanChoice> exportable;
    for (const PlanChoice& choice : rule_of(Strategy::StaticAttnPrio).propose(inventory, sizing)) {
        if (stock_args(inventory, choice)) exportable.push_back(choice);
    }
    std::vector<PlanChoice> chosen;
    const std::size_t step = std::max<std::size_t>(1, exportable.size() / kChoicesPerBudget);
    for (std::size_t i = 0; i < exportable.size(); i += step) chosen.push_back(exportable[i]);
    for (const PlanChoice& choice : rule_of(Strategy::StaticFitParams).propose(inventory, sizing))
        chosen.push_back(choice);
    return chosen;
}

class MemoryOracle : public testing::TestWithParam<RealModel> {
protected:
    void check(const PlanChoice& choice) {
        const std::optional<StockArgs> args = stock_args(inventory_, choice);
        if (!args) return;
        const StockMemory stock = test::value_of(stock_memory(path_, inventory_.context, *args));
        const Candidate ours = evaluator_->evaluate(choice, StageOptions{});
        const DeviceUse& device = ours.memory.device;
        SCOPED_TRACE(fmt::format("{} pin {} attn {} overflow {} head {} ubatch {}",
                                 strategy_name(choice.strategy),
                                 choice.n_pinned,
                                 choice.n_attn_pinned,
                                 overflow_name(choice.overflow),
                                 choice.output_on_gpu,
                                 inventory_.context.n_ubatch));
        EXPECT_EQ(device.weights, stock.model);
        EXPECT_EQ(device.states, stock.context);
        const double slack = std::max(0.02 * double(stock.compute), double(16 * kMiB));
        EXPECT_LE(double(device.scratch), double(stock.compute) + slack);
        expect_verified(ours);
        note(device, stock);
        placements_.insert({device.weights, device.states, inventory_.context.n_ubatch});
    }

    void note(const DeviceUse& ours, const StockMemory& stock) {
        const auto apart = [](Bytes a, Bytes b) { return a > b ? a - b : b - a; };
        model_error_ = std::max(model_error_, apart(ours.weights, stock.model));
        context_error_ = std::max(context_error_, apart(ours.states, stock.context));
        if (stock.compute == 0) return;
        const double ratio = double(ours.scratch) / double(stock.compute);
        compute_least_ = std::min(compute_least_, ratio);
        compute_most_ = std::max(compute_most_, ratio);
    }

    // The row of the table in docs/results/plans.md; bench/plan_table.sh takes it from here.
    void expect_in_page(const std::string& shape) {
        const std::string row = fmt::format("| {} | {} | {} | {} | {:.3f} | {:.3f} |",
                                            shape,
                                            placements_.size(),
                                            model_error_,
                                            context_error_,
                                            compute_least_,
                                            compute_most_);
        RecordProperty("row", row);
        const std::string page = test::text_in(PSHARD_SOURCE_DIR "/docs/results/plans.md");
        EXPECT_NE(page.find("\n" + row + "\n"), page.npos) << "this row should be there: " << row;
    }

    void expect_verified(const Candidate& candidate) {
        const Graph& graph = inventory_.graphs.front();
        const Lowered lowered = evaluator_->detail(candidate).lowered;
        const TierDemand demand{lowered.placement, lowered.slots[0], lowered.scratch.gpus[0].peak};
        const Bytes budget = arena_bytes(inventory_, demand);
        const ArenaLayout arena = test::value_of(pack_arena(inventory_, {demand}, budget));
        const std::vector<std::string> violations =
            verify_variant(inventory_, {{graph, lowered, candidate.options.offload}}, {arena});
        EXPECT_TRUE(violations.empty()) << violations.front();
    }

    void check_batch(std::uint32_t n_ubatch) {
        Result<Inventory> captured = captured_ubatch(path_, n_ubatch);
        ASSERT_TRUE(captured.ok()) << captured.error().text();
        inventory_ = std::move(captured).value();
        const Bytes all = all_resident_bytes(inventory_, inventory_.graphs.front());
        for (const double share : kBudgetShares) {
            const Problem problem{inventory_, nullptr, Bytes(double(all) * share), 4096, {}, {}};
            evaluator_.emplace(problem, inventory_.graphs.front());
            for (const PlanChoice& choice : choices_at(inventory_, *evaluator_, problem.budget)) {
                check(choice);
            }
            evaluator_.reset();
        }
    }

    std::filesystem::path path_;
    Inventory inventory_;
    std::optional<Evaluator> evaluator_;
    std::set<std::array<std::uint64_t, 3>> placements_;
    Bytes model_error_ = 0;
    Bytes context_error_ = 0;
    double compute_least_ = 1e9;
    double compute_most_ = 0;
};

TEST_P(MemoryOracle, AgreesWithLlamaCpp) {
    const std::filesystem::path path =
        test::value_of(sparse_model(GetParam().shape, GetParam().quant));
    path_ = path;
    for (const std::uint32_t n_ubatch : {1U, 512U}) check_batch(n_ubatch);
    EXPECT_GE(placements_.size(), 6U) << "distinct placements compared";
    expect_in_page(GetParam().shape);
}

INSTANTIATE_TEST_SUITE_P(Shapes, MemoryOracle, ValuesIn(kModels), test::NamedByParameter());

}  // namespace
}  // namespace pshard
