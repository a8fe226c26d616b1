// A first start: nobody has measured the machine, and PSHARD0 plans all the same. What it plans is
// priced here as if the machine were known, on three, and held against stock's own fit with
// op-offload, whose uploads come from the pageable mapping or, with --no-mmap, from page-locked
// memory. The budget is that of a card of 12 GB.

#include "build_paths.h"
#include "capture/capture.h"
#include "planner/tier_choice.h"
#include "support/machines.h"
#include "support/sanitizer.h"
#include "support/stock_memory.h"
#include "support/testing.h"

namespace pshard {
namespace {

using testing_support::kTestMachines;

constexpr Bytes kBudget = 10794 * kMiB;
constexpr std::uint32_t kContext = 16384;

struct FirstStart {
    const char* shape;
    const char* quant;
    std::uint32_t n_ubatch;
    double stock;  // tokens per second of such a batch on the reference machine, in stock
};

void PrintTo(const FirstStart& start, std::ostream* out) {
    *out << start.shape << ' ' << start.n_ubatch;
}

class FirstStarts : public testing::TestWithParam<FirstStart> {
protected:
    FirstStarts() {
        const auto path = testing_support::sparse_model(GetParam().shape, GetParam().quant);
        PSHARD_CHECK(path.ok());
        CaptureRequest request;
        request.model_path = path.value();
        request.context.n_ctx = kContext;
        request.context.n_ubatch = GetParam().n_ubatch;
        request.context.flash_attention = FlashAttention::On;
        request.tiers = {1, 31, GetParam().n_ubatch};
        request.backend_dir = PSHARD_LLAMA_BIN_DIR;
        Result<Inventory> inventory = capture_inventory(request);
        PSHARD_CHECK(inventory.ok());
        inventory_ = std::move(inventory).value();
    }

    Problem problem(const MachineProfile* profile) const {
        return {inventory_, profile, kBudget, kContext / 2, {}, {}};
    }

    double rate_of(const TierChoice& tier, const MachineProfile& profile) const {
        const Problem priced = problem(&profile);
        const Candidate plan = Evaluator(priced, *tier.graph).evaluate(tier.choice, tier.options);
        return plan.verdict == Verdict::Viable ? plan.prediction->tokens_per_second : 0;
    }

    double stock_rate(const TierChoice& tier, const MachineProfile& profile) const {
        return stock_fit(problem(&profile), *tier.graph).value().prediction->tokens_per_second;
    }

    Inventory inventory_;
};

// The uploads of stock at the rate of page-locked memory, too.
MachineProfile all_locked(MachineProfile machine) {
    machine.link.pageable_gb_per_s = machine.link.standalone_gb_per_s;
    return machine;
}

TEST_P(FirstStarts, AreNoSlowerThanStock) {
    PSHARD_TOO_SLOW_SANITIZED();
    const std::vector<TierChoice> choices = plan_for_device(problem(nullptr));
    ASSERT_EQ(choices.size(), 3U);  // 1 token, 31, and a ubatch
    EXPECT_EQ(choices[1].key.n_tokens, 31U);
    EXPECT_TRUE(rule_of(choices[0].choice.strategy).is_static);
    EXPECT_TRUE(rule_of(choices[1].choice.strategy).is_static);
    const MachineProfile reference = testing_support::machine_profile(kTestMachines.front());
    EXPECT_GE(rate_of(choices.back(), reference), GetParam().stock);
    for (const TierChoice& measured : plan_for_device(problem(&reference))) {
        EXPECT_GT(measured.stock_speed, 0);
        EXPECT_LE(measured.stock_speed, 1) << to_text(measured.key);
    }
    for (const auto& machine : kTestMachines) {
        const MachineProfile profile = testing_support::machine_profile(machine);
        const MachineProfile locked = all_locked(profile);
        for (const MachineProfile* priced : {&profile, &locked}) {
            for (const TierChoice* choice : {&choices.front(), &choices.back()}) {
                EXPECT_GE(rate_of(*choice, *priced), stock_rate(*choice, *priced))
                    << machine.name << ' ' << to_text(choice->key);
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(At16384,
                         FirstStarts,
                         testing::Values(FirstStart{"Llama-3.3-70B", "Q4_K_M", 512, 143},
                                         FirstStart{"Llama-3.3-70B", "Q4_K_M", 2048, 326},
                                         FirstStart{"Gemma-3-27B", "Q4_K_M", 512, 443},
                                         FirstStart{"Gemma-3-27B", "Q4_K_M", 2048, 893},
                                         FirstStart{"Qwen3-30B-A3B", "Q4_K_M", 512, 576},
                                         FirstStart{"Qwen3-30B-A3B", "Q4_K_M", 2048, 1526},
                                         FirstStart{"gpt-oss-120b", "MXFP4", 512, 115},
                                         FirstStart{"gpt-oss-120b", "MXFP4", 2048, 390}));

}  // namespace
}  // namespace pshard
