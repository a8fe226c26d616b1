// What a plan leaves to ggml-cuda's pool. The figures of single ops are held against the library
// itself by fakecuda/pool_test.cpp.
#include "ops/cuda_pool.h"
#include "support/testing.h"

namespace pshard {
namespace {

Bytes product(const char* type, Shape a, std::int64_t n_tokens, bool is_weight) {
    return cuda_pool_bytes({"MUL_MAT",
                            {"f32", {a[1], n_tokens, a[2], 1}},
                            {{type, a, is_weight}, {"f32", {a[0], n_tokens, a[2], 1}}}},
                           0);
}

TEST(CudaPool, HoldsTheSecondFactorOfAQuantizedProduct) {
    // 64 rows of 1000 values, padded to 1024: 32 blocks of 36 bytes each; and 128 of 144 behind.
    EXPECT_EQ(product("q4_K", {1000, 256, 1, 1}, 64, true), Bytes{64 * 32 * 36 + 128 * 144});
}

TEST(CudaPool, HoldsHalvesOfAProductInF16) {
    // 64 columns of 1024 and of 256 values, and 128 bytes twice for pointers.
    EXPECT_EQ(product("f16", {1024, 256, 1, 1}, 64, true), Bytes{64 * (1024 + 256) * 2 + 256});
    EXPECT_EQ(product("bf16", {1024, 256, 1, 1}, 64, true), Bytes{64 * 1024 * 2 + 256});
    EXPECT_EQ(product("f16", {1024, 256, 1, 1}, 8, true), Bytes{0});  // read as they are
    EXPECT_EQ(product("f32", {1024, 256, 1, 1}, 64, true), Bytes{256});
    // A cache may be copied to f32 instead: 1024 * 4096 values against 64 columns.
    EXPECT_EQ(product("f16", {1024, 4096, 1, 1}, 64, false), Bytes{1024 * 4096 * 4 + 256});
}

TEST(CudaPool, HoldsNothingForOtherOps) {
    EXPECT_EQ(cuda_pool_bytes({"ADD", {"f32", {4096, 512, 1, 1}}, {}}, 46), Bytes{0});
    EXPECT_EQ(cuda_pool_bytes({"MUL_MAT", {"f32", {4096, 512, 1, 1}}, {}}, 46), Bytes{0});
}

// A graph of 512 tokens that multiplies 32 heads with a cache of 8192 cells.
Inventory without_flash_attention() {
    Inventory inventory;
    inventory.context.n_ubatch = 512;
    State& cache = inventory.states.emplace_back();
    cache.type = "f16";
    cache.shape = {8192, 128, 8, 1};
    Graph& graph = inventory.graphs.emplace_back();
    graph.n_tokens = 512;
    graph.inputs = {{"kq", "f32", {8192, 512, 32, 1}, 0, 0}};
    Node& kqv = graph.nodes.emplace_back();
    kqv.op = "MUL_MAT";
    kqv.name = "kqv-0";
    kqv.type = "f32";
    kqv.shape = {128, 512, 32, 1};
    kqv.sources = {{Ref::Kind::State, 0}, {Ref::Kind::Input, 0}};
    return inventory;
}

TEST(PoolDemand, IsWhatTheLargestOpTakesBeyondWhatAProfileHas) {
    // The f16 copy of src1 has 256 MiB, that of the result 4; a profile's run of 512 tokens has 18.
    const PoolDemand demand = pool_demand(without_flash_attention());
    EXPECT_EQ(demand.bytes, 244 * kMiB);
    EXPECT_EQ(demand.node, "kqv-0");
    EXPECT_EQ(demand.n_tokens, 512U);
    EXPECT_THAT(text_of(demand), ::testing::HasSubstr("244 MiB"));
}

TEST(PoolDemand, TakesFromAProfileNoMoreThanItsLargestSample) {
    Inventory inventory = without_flash_attention();
    inventory.context.n_ubatch = 2048;
    const Bytes of_largest_sample = pool_demand(inventory).bytes;
    EXPECT_EQ(of_largest_sample, 190 * kMiB);  // a run of 2048 tokens has 72 MiB of 260
    inventory.context.n_ubatch = 16384;
    EXPECT_EQ(pool_demand(inventory).bytes, of_largest_sample);
}

TEST(PoolDemand, IsNothingWhereTheDeviceHasNoSuchPoolOrDoesNotComputeTheOp) {
    Inventory inventory = without_flash_attention();
    for (const char* name : {"vulkan", "Vulkan0", "SIM0", "CPU", "ROCm0"}) {
        inventory.device.name = name;
        EXPECT_EQ(pool_demand(inventory).bytes, Bytes{0}) << name;
    }
    inventory.device.name = "CUDA1";
    EXPECT_EQ(pool_demand(inventory).bytes, 244 * kMiB);
    inventory.graphs[0].nodes[0].device_supports = false;
    EXPECT_EQ(pool_demand(inventory).bytes, Bytes{0});
}

}  // namespace
}  // namespace pshard
