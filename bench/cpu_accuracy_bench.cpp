// The cost model against an independent measure: what a profile of the CPU says that llama-bench
// will reach, and what it reaches, on small random models that really run.
//
//   bench_cpu_accuracy cpu_profile.txt [FOLDER]     FOLDER: where the models are kept
//
// Predicted is the sum over the nodes of llama.cpp's own graph, from the profile alone: no figure
// is fitted to these runs. Both are for as many threads as the profile has. Run it on a machine
// that does nothing else. docs/results/profiles.md has the tables.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "capture/capture.h"
#include "cost/graph_cost.h"
#include "machine/profile_text.h"
#include "shapes/shapes.h"

namespace pshard {
namespace {

constexpr std::uint32_t kPrompt = 512;
constexpr std::uint32_t kGenerated = 64;
constexpr std::array kArchitectures = {"llama", "gemma3", "qwen3moe", "qwen3next"};
constexpr std::array kQuants = {"Q4_0", "Q4_K_M", "Q8_0"};

// Large enough that no cache holds the weights, small enough to be made in seconds.
constexpr TinySizes kSizes{.n_layer = 8, .n_embd = 1024, .n_ff = 2816, .n_vocab = 32000};

struct Rates {
    double prompt = 0;  // tokens per second
    double generated = 0;
};

template <typename T>
T must(Result<T> result) {
    if (result) return std::move(result).value();
    fmt::print(stderr, "bench_cpu_accuracy: {}\n", result.error().text());
    std::exit(1);
}

std::filesystem::path model_file(const std::filesystem::path& folder,
                                 const std::string& architecture,
                                 const std::string& quant) {
    auto path = folder / fmt::format("accuracy-{}-{}.gguf", architecture, quant);
    if (std::filesystem::exists(path)) return path;
    const ModelShape shape = resized(must(find_tiny_shape(architecture)), kSizes);
    must(write_random(shape, quant, path, 1));
    return path;
}

// One pass of `n_tokens` in a context of `n_ctx`, as llama-bench sets it.
Seconds predicted_pass(const std::filesystem::path& model,
                       const Roofline& roofline,
                       std::uint32_t n_ctx,
                       std::uint32_t n_tokens,
                       std::uint32_t depth) {
    CaptureRequest request;
    request.model_path = model;
    request.backend_dir = PSHARD_LLAMA_BIN_DIR;
    request.context.n_ctx = n_ctx;
    request.context.n_batch = n_ctx;
    request.context.n_ubatch = std::min(n_ctx, 512U);
    request.context.output_use = OutputUse::Bench;
    request.tiers = {n_tokens};
    const Inventory inventory = must(capture_inventory(request));
    const GraphCost cost = price_graph(inventory.graphs.front(), inventory, roofline, depth);
    return std::accumulate(
        cost.cpu.seconds.begin(), cost.cpu.seconds.end(), cost.cpu.graph_seconds);
}

Rates predict(const std::filesystem::path& model, const Roofline& roofline) {
    // llama.cpp pads a context to 256 tokens.
    return {kPrompt / predicted_pass(model, roofline, kPrompt, kPrompt, 0),
            1 / predicted_pass(model, roofline, 256, 1, kGenerated / 2)};
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

Rates measure(const std::filesystem::path& model, int n_threads) {
    const std::string command =
        fmt::format("{}/llama-bench -m '{}' -p {} -n {} -t {} -r 5 -o json 2>/dev/null",
                    PSHARD_LLAMA_BIN_DIR,
                    model.string(),
                    kPrompt,
                    kGenerated,
                    n_threads);
    const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
    PSHARD_CHECK(pipe != nullptr);
    std::string text;
    for (int c = std::fgetc(pipe.get()); c != EOF; c = std::fgetc(pipe.get())) text += char(c);
    Rates rates;
    for (const auto& test : nlohmann::json::parse(text)) {
        const double rate = median(test["samples_ts"].get<std::vector<double>>());
        (test["n_gen"].get<int>() > 0 ? rates.generated : rates.prompt) = rate;
    }
    return rates;
}

class Table {
public:
    Table() {
        fmt::print("| model | test | predicted t/s | measured t/s | error |\n");
        fmt::print("|-------|------|--------------:|-------------:|------:|\n");
    }

    void add(const std::string& model, const char* test, double predicted, double measured) {
        const double error = predicted / measured - 1;
        fmt::print("| {} | {} | {:.1f} | {:.1f} | {:+.1f} % |\n",
                   model,
                   test,
                   predicted,
                   measured,
                   100 * error);
        std::fflush(stdout);
        errors_.push_back(std::abs(error));
    }

    void finish() const {
        fmt::print("\nmedian error {:.1f} %, worst {:.1f} %\n",
                   100 * median(errors_),
                   100 * *std::max_element(errors_.begin(), errors_.end()));
    }

private:
    std::vector<double> errors_{};
};

void run(const std::string& profile_path, const std::filesystem::path& folder) {
    ProfileNames names;
    names.cpu = profile_path;
    names.gpu = "";
    const MachineProfile profile = must(read_profile_files(names));
    PSHARD_CHECK(profile.cpu.has_value());
    const Roofline roofline(profile);
    std::filesystem::create_directories(folder);
    Table table;
    for (const char* architecture : kArchitectures) {
        for (const char* quant : kQuants) {
            const auto model = model_file(folder, architecture, quant);
            const Rates measured = measure(model, profile.cpu->n_threads);
            const Rates predicted = predict(model, roofline);
            const std::string name = fmt::format("{} {}", architecture, quant);
            table.add(name, "pp512", predicted.prompt, measured.prompt);
            table.add(name, "tg64", predicted.generated, measured.generated);
        }
    }
    table.finish();
}

}  // namespace
}  // namespace pshard

int main(int argc, char** argv) {
    if (argc < 2 || argc > 3) {
        fmt::print(stderr, "usage: bench_cpu_accuracy cpu_profile.txt [FOLDER]\n");
        return 1;
    }
    const auto folder = std::filesystem::temp_directory_path() / "pshard-bench";
    pshard::run(argv[1], argc == 3 ? argv[2] : folder);
    return 0;
}
