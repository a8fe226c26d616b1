// Planning time on real shapes with real-sized tokenizers, warm file cache: the capture of all
// tiers, and the whole plan (capture, profiles, all tiers and strategies).
//
// The targets: 1 s for the first four models, 2 s for Qwen3-235B-A22B, 0.3 s for the captures. The
// whole command adds a process, the registry and the table: bench/plan_table.sh times that.

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "capture/capture.h"
#include "machine/profile_text.h"
#include "models/shapes.h"
#include "search/search.h"

namespace pshard {
namespace {

struct BenchModel {
    const char* shape;
    const char* quant;
};

constexpr BenchModel kModels[] = {{"Llama-3.3-70B", "Q4_K_M"},
                                  {"Qwen3-32B", "Q4_0"},
                                  {"Qwen3-30B-A3B", "Q4_K_M"},
                                  {"gpt-oss-120b", "MXFP4"},
                                  {"Qwen3-235B-A22B", "Q4_K_M"}};

constexpr std::uint32_t kContext = 8192;
constexpr Bytes kBudget = 12000 * kMiB;

std::string model_file(const BenchModel& model) {
    const auto folder = std::filesystem::temp_directory_path() / "pshard-bench";
    std::filesystem::create_directories(folder);
    const auto path = folder / fmt::format("{}-{}.gguf", model.shape, model.quant);
    if (!std::filesystem::exists(path)) {
        const auto shape = find_shape(model.shape);
        PSHARD_CHECK(shape.ok());
        PSHARD_CHECK(write_sparse(shape.value(), model.quant, path).ok());
    }
    return path;
}

Inventory captured(const BenchModel& model) {
    CaptureRequest request;
    request.model_path = model_file(model);
    request.backend_dir = PSHARD_LLAMA_BIN_DIR;
    request.context.n_ctx = kContext;
    request.context.n_batch = kContext;
    request.context.n_ubatch = kContext;
    request.context.flash_attention = FlashAttention::On;
    request.tiers = {1, 16, 512, 1024, 2048, 4096, 8192};
    Result<Inventory> inventory = capture_inventory(request);
    PSHARD_CHECK(inventory.ok());
    return std::move(inventory).value();
}

void capture_all_tiers(benchmark::State& state) {
    const BenchModel& model = kModels[state.range(0)];
    for (auto _ : state) benchmark::DoNotOptimize(captured(model));
    state.SetLabel(model.shape);
}

void plan_all_tiers(benchmark::State& state) {
    const BenchModel& model = kModels[state.range(0)];
    for (auto _ : state) {
        const Inventory inventory = captured(model);
        const auto profile =
            read_profile_files({PSHARD_SOURCE_DIR "/profiles/reference/cpu_profile.txt",
                                PSHARD_SOURCE_DIR "/profiles/reference/gpu_profile.txt"});
        PSHARD_CHECK(profile.ok());
        const Problem problem{inventory, &profile.value(), kBudget, kContext / 2, {}, {}};
        benchmark::DoNotOptimize(plan_variant(problem));
    }
    state.SetLabel(model.shape);
}

BENCHMARK(capture_all_tiers)->DenseRange(0, 4)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(plan_all_tiers)->DenseRange(0, 4)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace pshard
