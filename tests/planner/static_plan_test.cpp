// The room that stock's static plan has.
#include "planner/static_plan.h"

#include "support/testing.h"
#include "support/toy_models.h"

namespace pshard {
namespace {

// A toy whose graphs multiply a cache with 64 MiB of f32, which the pool of CUDA copies.
Inventory with_pool(const char* device) {
    Inventory inventory = toy_dense(1);
    inventory.device.name = device;
    inventory.context.n_ubatch = 4;
    for (Graph& graph : inventory.graphs) {
        Node& node = graph.nodes.front();
        node.op = "MUL_MAT";
        node.device_supports = true;
        graph.inputs.push_back({"kq", "f32", {4096, 4096, 1, 1}, 0, 0});
        const auto input = static_cast<int>(graph.inputs.size()) - 1;
        node.sources = {{Ref::Kind::State, 0}, {Ref::Kind::Input, input}};
    }
    return inventory;
}

bool is_found(const char* device, Bytes budget) {
    StaticWish wish;
    wish.context.n_ctx = 8;
    wish.tiers = {4};
    wish.largest_batch = 4;
    wish.budget = budget;
    StockModel model;
    model.capture = [&](std::uint32_t, const std::vector<std::uint32_t>&) {
        return Result<Inventory>(with_pool(device));
    };
    model.memory = [](const Inventory&, const StaticPlan& plan) {
        return Result<DeviceUse>(plan.prompt.memory.device);
    };
    const auto found = find_static_plan(wish, model);
    return found.ok() && std::holds_alternative<StaticFound>(found.value());
}

TEST(StaticPlan, LeavesThePoolItsPartOfTheBudget) {
    EXPECT_TRUE(is_found("Vulkan0", kMiB));
    EXPECT_FALSE(is_found("CUDA0", kMiB));
    EXPECT_TRUE(is_found("CUDA0", 256 * kMiB));
}

}  // namespace
}  // namespace pshard
