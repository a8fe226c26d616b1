// Random batches under random plans that change before every graph, within a random budget that is
// all that the device has.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "backend/harness/expect.h"

namespace pshard::backend_test {

inline const std::vector<std::string>& wander_models() {
    static const std::vector<std::string> names = {"llama-Q8_0",
                                                   "gemma3-Q8_0",
                                                   "qwen3moe-Q8_0",
                                                   "gpt-oss-Q8_0",
                                                   "qwen3next-Q8_0",
                                                   "deepseek2-Q8_0"};
    return names;
}

// Plans of the five strategies; `counted`: some name how many layers are pinned.
inline PlanRow random_plans(std::mt19937& random, int n_plans, bool counted) {
    PlanRow plan{.name = "wander"};
    std::string& list = plan.environment["PSHARD_STRATEGY"];
    for (int i = 0; i < n_plans; ++i) {
        list += fmt::format("{}{}", i == 0 ? "" : ";", random() % 5);
        if (counted && random() % 2 == 0) list += fmt::format(":{}", random() % 3);
    }
    plan.environment["PSHARD_ROTATE"] = "1";
    return plan;
}

// A plan switch at each of `n_steps`, and as many batches. Every other seed has so little memory
// that the strategies pin what just fits; the others enough for any number of layers.
inline void expect_wander_as_stock(const std::string& model, unsigned seed, int n_steps) {
    std::mt19937 random(seed);
    const bool roomy = seed % 2 == 0;
    const std::string budget = std::to_string(roomy ? 24 : 4 + random() % 4);
    InnerDevice device = inner_device("simgpu");
    device.inner["SIMGPU_MEMORY_MIB"] = budget;
    PlanRow plan = random_plans(random, 40, roomy);
    plan.environment["PSHARD_MAX_VRAM_ALLOC"] = budget;
    ScenarioRow scenario = ScenarioRow::plain("wander");
    scenario.flags.insert(scenario.flags.end(),
                          {"--steps", std::to_string(n_steps), "--seed", std::to_string(seed)});
    Grid grid(device);
    expect_as_stock(grid, device, model_row(model), scenario, plan);
}

class Wander : public testing::TestWithParam<std::string> {
protected:
    // Once for each seed.
    static void expect_as_stock(const std::vector<unsigned>& seeds, int n_steps) {
        PSHARD_NEEDS_PLUGIN();
        PSHARD_NEEDS_DEVICE(inner_device("simgpu"));
        for (const unsigned seed : seeds) expect_wander_as_stock(GetParam(), seed, n_steps);
    }
};

}  // namespace pshard::backend_test
