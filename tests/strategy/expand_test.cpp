// Both forms of a plan must agree [A23]: lanes by weight, lanes by the patterns of a registry, and
// the patterns of the published planner's own registries.

#include "strategy/expand.h"

#include <algorithm>
#include <fstream>
#include <regex>

#include "base/temp_folder.h"
#include "build_paths.h"
#include "registry/registry_text.h"
#include "strategy/rules.h"
#include "support/testing.h"
#include "support/toy_models.h"

namespace pshard {
namespace {

Lane lane_by_pattern(const std::vector<LanePattern>& patterns, const std::string& name) {
    for (const LanePattern& item : patterns) {
        if (std::regex_search(name, std::regex(item.pattern))) return item.lane;
    }
    ADD_FAILURE() << name << " matches no pattern";
    return Lane::Gpu;
}

std::vector<PlanChoice> all_choices(int n_layers) {
    std::vector<PlanChoice> choices;
    for (const StrategyRule* rule : strategy_rules()) {
        for (int n = 0; n <= n_layers; ++n) {
            for (int attn = n; attn <= n_layers; ++attn) {
                for (int part = 0; part < 5; ++part) {
                    PlanChoice choice;
                    choice.strategy = rule->id;
                    choice.n_pinned = n;
                    choice.n_attn_pinned = attn;
                    choice.overflow = static_cast<Overflow>(part);
                    choice.output_on_gpu = (n + attn) % 2 == 0;
                    choice.pin_from_back = attn % 2 == 0;
                    choices.push_back(choice);
                }
            }
        }
    }
    return choices;
}

// A model with weights that stay with the CPU: the down projection of layer 1 is idle, and stock
// loads attn_k of layer 2 to host memory.
struct Refused {
    explicit Refused(Inventory model)
        : inventory(std::move(model)), idle(inventory.weights.size()) {
        for (std::size_t i = 0; i < inventory.weights.size(); ++i) {
            Weight& weight = inventory.weights[i];
            idle[i] = weight.name.starts_with("blk.1.ffn_down");
            if (weight.name.starts_with("blk.2.attn_k.")) weight.side = Side::Input;
        }
    }

    Inventory inventory;
    std::vector<bool> idle;
};

TEST(Expand, AgreesWithItsPatternsForEveryChoice) {
    for (const auto& [inventory, idle] : {Refused(toy_dense(3)), Refused(toy_moe(3))}) {
        for (const PlanChoice& choice : all_choices(3)) {
            const Placement placement = expand(inventory, choice, {idle, {}});
            const std::vector<LanePattern> patterns = lane_patterns(inventory, choice, idle);
            for (std::size_t i = 0; i < inventory.weights.size(); ++i) {
                ASSERT_EQ(placement.weights[i],
                          lane_by_pattern(patterns, inventory.weights[i].name))
                    << inventory.weights[i].name << " in " << strategy_name(choice.strategy)
                    << " pin " << choice.n_pinned << " attn " << choice.n_attn_pinned << " part "
                    << overflow_name(choice.overflow);
            }
        }
    }
}

// Layers of the models behind the published registries in tests/golden/registry.
struct Golden {
    const char* file;
    int n_layers;
};

constexpr Golden kGoldens[] = {{"qwen3-32b-q4_0-8000-16384", 64},
                               {"gpt-oss-20b-mxfp4_moe-4000-4096", 24},
                               {"llama-3.3-70b-q4_k_m-12000-8192", 80},
                               {"llama-3.1-8b-q8_0-12000-8192", 32}};

TEST(Expand, WritesThePatternsThatThePublishedPlannerWrote) {
    int compared = 0;
    for (const Golden& golden : kGoldens) {
        const std::string path = std::string(PSHARD_SOURCE_DIR "/tests/golden/registry/") +
                                 golden.file + ".pshard_registry";
        const auto reading = test::value_of(read_registry(test::text_in(path), path));
        Inventory inventory;
        inventory.n_layers = golden.n_layers;
        for (const RegistryTier& tier : reading.registry.sections.front().variants.front().tiers) {
            if (!tier.viable) continue;
            const std::vector<LanePattern> ours = lane_patterns(inventory, tier.choice, {});
            ASSERT_EQ(ours.size(), tier.ot.size()) << golden.file << " bs=" << tier.key.n_tokens;
            for (std::size_t i = 0; i < ours.size(); ++i) {
                EXPECT_EQ(ours[i].pattern, tier.ot[i].pattern);
                EXPECT_EQ(ours[i].lane.id(), tier.ot[i].lane);
            }
            ++compared;
        }
    }
    EXPECT_GE(compared, 25);
}

// Stock's loader knows nothing of idle weights; what it loads to host memory no plan moves.
TEST(Expand, LeavesWhatTheDeviceCannotUseToTheCpu) {
    const Refused model(toy_dense(3));
    const PlanChoice all = everything_resident(3);
    const Placement ours = expand(model.inventory, all, {model.idle, {}});
    const Placement stocks = expand(model.inventory, all, kAllUsed);
    const auto down =
        static_cast<std::size_t>(weight_index(model.inventory, "blk.1.ffn_down.weight"));
    const auto k = static_cast<std::size_t>(weight_index(model.inventory, "blk.2.attn_k.weight"));
    EXPECT_EQ(ours.weights[down], Lane::Cpu);
    EXPECT_EQ(stocks.weights[down], Lane::Gpu);
    EXPECT_EQ(ours.weights[k], Lane::Cpu);
    EXPECT_EQ(stocks.weights[k], Lane::Cpu);
    EXPECT_EQ(std::ranges::count(ours.weights, Lane::Cpu), 3) << "those two and token_embd";
}

TEST(Expand, LeavesACacheThatTheDeviceCannotReadToTheCpu) {
    const Inventory inventory = toy_dense(3);
    Idle idle;
    for (const State& state : inventory.states) idle.states.push_back(state.layer == 1);
    const Placement placement = expand(inventory, everything_resident(3), idle);
    for (std::size_t i = 0; i < inventory.states.size(); ++i) {
        EXPECT_EQ(placement.states[i], idle.states[i] ? Lane::Cpu : Lane::Gpu);
    }
}

TEST(Expand, KeepsTheStatesWithTheAttentionOfTheirLayer) {
    const Inventory inventory = toy_dense(3);
    PlanChoice choice;
    choice.strategy = Strategy::DynamicFfnCpuAttnStream;
    choice.n_pinned = 1;
    const Placement placement = expand(inventory, choice, kAllUsed);
    for (std::size_t i = 0; i < inventory.states.size(); ++i) {
        EXPECT_EQ(placement.states[i], inventory.states[i].layer == 0 ? Lane::Gpu : Lane::ShardA);
    }
}

}  // namespace
}  // namespace pshard
