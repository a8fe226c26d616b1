// Both forms of a plan must agree [A23]: lanes by weight, lanes by the patterns of a registry, and
// the patterns of the published planner's own registries.

#include "strategy/expand.h"

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

TEST(Expand, AgreesWithItsPatternsForEveryChoice) {
    for (const Inventory& inventory : {toy_dense(3), toy_moe(3)}) {
        for (const PlanChoice& choice : all_choices(3)) {
            const Placement placement = expand(inventory, choice);
            const std::vector<LanePattern> patterns = lane_patterns(inventory, choice);
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
            const std::vector<LanePattern> ours = lane_patterns(inventory, tier.choice);
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

TEST(Expand, KeepsTheStatesWithTheAttentionOfTheirLayer) {
    const Inventory inventory = toy_dense(3);
    PlanChoice choice;
    choice.strategy = Strategy::DynamicFfnCpuAttnStream;
    choice.n_pinned = 1;
    const Placement placement = expand(inventory, choice);
    for (std::size_t i = 0; i < inventory.states.size(); ++i) {
        EXPECT_EQ(placement.states[i], inventory.states[i].layer == 0 ? Lane::Gpu : Lane::ShardA);
    }
}

}  // namespace
}  // namespace pshard
